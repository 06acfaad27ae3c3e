"""
What may stand in an event, and how it is written.
"""

from __future__ import annotations

import json
import re
from typing import Any

from attrs import evolve, fields
from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.chain import canonical
from coral_gate.audit.event import Change, Event, Refusal, as_json, members
from coral_gate.audit.events import (
    EVENT_TYPES,
    RESERVED_TYPES,
    LockChanged,
    RequestRefused,
    SandboxRefused,
    SessionOpened,
    StreamClosed,
)
from coral_gate.audit.fields import LARGEST_NUMBER, Outcome
from coral_gate.model import ChannelKind, Secret, UserId
from tests.audit.samples import INJECTIONS, SANDBOX, USER, any_event, least, opened

_LONGEST = 64 * 1024


def _kinds(base: type[Event]) -> set[type[Event]]:
    found = set()
    for kind in base.__subclasses__():
        found |= {kind} | _kinds(kind)
    return found


class TheTableTests(SynchronousTestCase):
    def test_complete(self) -> None:
        """Each class of event is in the table, under its own name."""
        concrete = {kind for kind in _kinds(Event) if kind.__module__.startswith("coral_gate")} - {Change, Refusal}
        self.assertEqual(concrete, set(EVENT_TYPES.values()))
        self.assertEqual({name: kind.type for name, kind in EVENT_TYPES.items()}, {name: name for name in EVENT_TYPES})

    def test_names(self) -> None:
        """A name is a thing, a dot and what befell it; none is a reserved one."""
        for name in EVENT_TYPES:
            self.assertTrue(re.fullmatch(r"[a-z_]{1,24}\.[a-z_]{1,24}", name), name)
        self.assertFalse(RESERVED_TYPES & set(EVENT_TYPES))

    def test_outcomes(self) -> None:
        """What is called refused or changed has that outcome."""
        for name, kind in EVENT_TYPES.items():
            self.assertEqual(name.endswith(".refused"), kind.outcome is Outcome.REFUSED, name)
            self.assertEqual(name.endswith(".refused"), issubclass(kind, Refusal), name)
            if name.endswith(".changed"):
                self.assertIs(kind.outcome, Outcome.CHANGED)

    def test_written_names(self) -> None:
        """No field is written under a name that the event or its record has for something else."""
        for kind in EVENT_TYPES.values():
            written = [member for _, member in members(kind)]
            self.assertEqual(len(written), len(set(written)), kind)
            self.assertFalse({"type", "outcome"} & set(written), kind)


class EventTests(SynchronousTestCase):
    def test_written(self) -> None:
        """An event is written with its type, outcome and who, and with whatever else it says."""
        self.assertEqual(
            as_json(opened("s-1")),
            {
                "type": "stream.opened", "outcome": "allowed", "who": {"iss": USER.iss, "sub": USER.sub},
                "from": "203.0.113.7", "sandbox": SANDBOX, "channel": "terminal", "session": "s-1", "request_id": "r1",
            },
        )  # fmt: skip

    def test_nobody(self) -> None:
        """An anonymous event says so; it does not leave it out."""
        self.assertEqual(
            as_json(RequestRefused(reason="no_session")),
            {"type": "request.refused", "outcome": "refused", "who": None, "reason": "no_session", "count": 1, "seconds": 0},
        )

    def test_a_base_is_no_event(self) -> None:
        """An event without a type of its own is not written."""

        class Derived(SessionOpened):
            pass

        for event in (Event(), Change(), Refusal(), Derived(session="s")):
            self.assertRaises(TypeError, as_json, event)

    def test_no_secret(self) -> None:
        """No field of any kind takes a secret, or bytes."""
        for kind in EVENT_TYPES.values():
            event = least(kind)
            for each in fields(kind):
                wrong: Any
                for wrong in (Secret(b"hunter2"), b"hunter2", 1.5, True, ["x"]):
                    with self.assertRaises(TypeError) as caught:
                        evolve(event, **{each.name: wrong})
                    self.assertNotIn("hunter2", str(caught.exception))

    def test_words_are_strict(self) -> None:
        """A reason that is no word is a mistake of ours and raises."""
        for wrong in ("No", "a b", "a\n", "é", "x" * 49, "1a", ".a"):
            self.assertRaises(ValueError, RequestRefused, reason=wrong)

    def test_text_is_cut(self) -> None:
        """Text of others is never refused: it is cut at its limit, and the cut shows."""
        lock = LockChanged(change="set", why="x" * 201, address="y" * 1000)
        self.assertEqual(lock.why, "x" * 199 + "…")
        self.assertEqual(lock.address, "y" * 63 + "…")
        self.assertEqual(LockChanged(change="set", why="x" * 200).why, "x" * 200)

    def test_numbers_are_bounded(self) -> None:
        """A number outside of what every JSON reader holds becomes the nearest that it holds."""
        closed = StreamClosed(session="s", sent_bytes=2**80, received_bytes=-1)
        self.assertEqual((closed.sent_bytes, closed.received_bytes), (LARGEST_NUMBER, 0))

    def test_people_are_exact(self) -> None:
        """A user's id is written whole or not at all."""
        for wrong in (UserId("", "x"), UserId("x", ""), UserId("x", "y" * 256), UserId("x", "\ud800")):
            self.assertRaises(ValueError, SessionOpened, who=wrong, session="s")
        longest = UserId("i" * 255, "é" * 255)
        self.assertEqual(as_json(SessionOpened(who=longest, session="s"))["who"], {"iss": longest.iss, "sub": longest.sub})

    def test_injections(self) -> None:
        """Line ends, escape sequences and quotes in any text stay text: one line of printable ASCII that reads back."""
        for hostile in INJECTIONS:
            self.assertTrue(LockChanged(change="set", why=hostile, address=hostile).why.encode("utf-8", "strict"))
            event = SandboxRefused(address=hostile, sandbox=hostile, request_id=hostile, channel=ChannelKind.CHAT)
            written = canonical(as_json(event))
            self.assertTrue(re.fullmatch(rb"[ -~]+", written), written)
            self.assertEqual(json.loads(written), as_json(event))
            self.assertEqual(json.loads(written)["outcome"], "refused")

    @given(any_event)
    def test_any(self, event: Event) -> None:
        """Any event is one line of printable ASCII, no longer than the limit, that reads back as what it says."""
        written = canonical(as_json(event))
        self.assertTrue(re.fullmatch(rb"[ -~]+", written))
        self.assertLess(len(written), _LONGEST // 2)
        self.assertEqual(json.loads(written), as_json(event))
