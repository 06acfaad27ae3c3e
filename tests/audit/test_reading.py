"""
How the log looks to a person at a terminal.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.chain import GENESIS, canonical, seal
from coral_gate.audit.event import Event, as_json
from coral_gate.audit.events import LockChanged, RequestRefused
from coral_gate.audit.reading import Tail, as_text, of_types, printable
from coral_gate.audit.segments import Segments
from coral_gate.model import UserId
from tests.audit.samples import INJECTIONS, SANDBOX, USER, any_event, opened

_NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


def line_of(event: Event) -> bytes:
    return seal(GENESIS, canonical(as_json(event)), "gate-1", _NOON)[0]


class TextTests(SynchronousTestCase):
    def test_text(self) -> None:
        """A record is time, number, type and outcome, then who and where, then the rest."""
        self.assertEqual(
            as_text(line_of(opened("s-1"))),
            "2026-01-31T12:00:00.000000Z #1 stream.opened allowed who=248289761001@https://id.example from=203.0.113.7 "
            f"sandbox={SANDBOX} channel=terminal request_id=r1 session=s-1",
        )

    def test_no_member_is_feigned(self) -> None:
        """A value that looks like members is quoted, so that it is seen to be one value."""
        lock = LockChanged(change="set", why='x" outcome=allowed from=203.0.113.1', user=UserId("https://a@b", "c@d"))
        shown = as_text(line_of(lock))
        self.assertIn(r'why="x\" outcome=allowed from=203.0.113.1"', shown)
        self.assertIn('user="c@d"@"https://a@b"', shown)

    def test_injections(self) -> None:
        """Line ends, escape sequences, and letters that change the direction are shown as escapes."""
        for hostile in [*INJECTIONS, "\N{HEBREW LETTER ALEF}", "a\\u{a}"]:
            shown = as_text(line_of(RequestRefused(address=hostile)))
            self.assertTrue(shown.isprintable(), shown)
            self.assertNotIn("\N{HEBREW LETTER ALEF}", shown)
        self.assertIn(r'from="a\u{d}\u{a}b"', as_text(line_of(RequestRefused(address="a\r\nb"))))
        self.assertIn(r'from="a\\u{a}"', as_text(line_of(RequestRefused(address="a\\u{a}"))))

    @given(any_event)
    def test_any_event(self, event: Event) -> None:
        """Any event is one printable line in both forms, and the form for programs is the record itself."""
        line = line_of(event)
        self.assertTrue(as_text(line).isprintable())
        self.assertEqual(printable(line).encode() + b"\n", line)

    @given(st.binary() | st.sampled_from([b"{}\n", b"[]\n", b'{"event":{"\x1b[2J":"\x1b"}}\n', b'{"event":{"type":["\\u001b"]}}\n']))
    def test_anything(self, line: bytes) -> None:
        """Whatever stands in a file that was tampered with, only printable text comes out."""
        self.assertTrue(as_text(line).isprintable())
        self.assertTrue(printable(line).isprintable())


class TailTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.writer = Segments(str(self.folder), "gate-1", 1500)
        self.writer.open()
        self.addCleanup(self.writer.close)

    def write(self, *names: str) -> None:
        for name in names:
            event = RequestRefused(who=USER) if name == "-" else opened(name)
            self.writer.append([(_NOON, canonical(as_json(event)))])

    def names(self, lines: list[bytes]) -> list[str]:
        return [line.split(b'"session":"')[1].split(b'"')[0].decode() if b"session" in line else "-" for line in lines]

    def test_last(self) -> None:
        """The last of any number, over any number of segments, oldest first."""
        self.write(*"0123456789")
        self.assertGreater(len(list(self.folder.iterdir())), 2)
        for count in range(12):
            self.assertEqual("".join(self.names(Tail(self.folder, of_types([])).last(count))), "0123456789"[max(0, 10 - count) :])

    def test_types(self) -> None:
        """Only the types that were asked for, by their name or by what they are about, however far back."""
        self.write("a", *"------------", "b", "-")
        for names, expected in [
            (["stream"], "ab"),
            (["stream.opened"], "ab"),
            (["str"], ""),
            (["stream", "request.refused"], "--b-"),
        ]:
            self.assertEqual("".join(self.names(Tail(self.folder, of_types(names)).last(4))), expected)

    def test_more(self) -> None:
        """What comes after is given once, in order, over new segments too, and not before it is whole."""
        self.write("a")
        tail = Tail(self.folder, of_types(["stream"]))
        self.assertEqual(self.names(tail.last(5)), ["a"])
        self.assertEqual(list(tail.more()), [])
        self.write(*"bc-defgh")
        self.assertEqual(self.names(list(tail.more())), list("bcdefgh"))
        path = max(self.folder.iterdir())
        size = path.stat().st_size
        self.write("i")
        if max(self.folder.iterdir()) != path:
            path, size = max(self.folder.iterdir()), 0
        content = path.read_bytes()
        path.write_bytes(content[: size + 50])
        self.assertEqual(list(tail.more()), [])
        path.write_bytes(content)
        self.assertEqual(self.names(list(tail.more())), ["i"])
        self.assertEqual(list(tail.more()), [])

    def test_from_nothing(self) -> None:
        """A log that is empty yet can be followed."""
        tail = Tail(self.folder, of_types([]))
        self.assertEqual(tail.last(5), [])
        self.write("a")
        self.assertEqual(self.names(list(tail.more())), ["a"])
