"""What holds on a control connection whatever either side sends."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.openclaw import Answer, Forward, Refuse
from coral_gate.channels.openclaw_methods import OPENCLAW_2026_9
from tests.channels.openclaw_messages import CHALLENGE, CONNECT_ID, PASSWORD, answer, captured, connect, connected, fresh, request

_METHODS = (
    "health",
    "chat.send",
    "connect",
    "portal.open",
    "terminal.open",
    "config.patch",
    "device.pair.setupCode",
    "Health",
    "health ",
    "",
)


def spelled(text: str, escaped: list[bool]) -> str:
    """A JSON string with some of its characters escaped."""
    parts = (f"\\u{ord(c):04x}" if escaped[index % len(escaped)] else json.dumps(c)[1:-1] for index, c in enumerate(text))
    return '"' + "".join(parts) + '"'


def _member(name: str, value: str, escaped: list[bool]) -> str:
    return spelled(name, escaped) + ":" + spelled(value, escaped)


_ESCAPED = st.lists(st.booleans(), min_size=1, max_size=4)
_MEMBERS = st.one_of(
    st.builds(_member, st.just("method"), st.sampled_from(_METHODS), _ESCAPED),
    st.builds(_member, st.just("type"), st.sampled_from(("req", "res", "event")), _ESCAPED),
    st.builds(_member, st.just("id"), st.sampled_from(("7", "", "8")), _ESCAPED),
    st.sampled_from(
        (
            '"params":{"method":"portal.open"}',
            '"Method":"portal.open"',
            '"method ":"x"',
            '"method":["health"]',
            '"__proto__":{"method":"portal.open"}',
        )
    ),
)
_REQUESTS = st.lists(_MEMBERS, max_size=6).map(lambda members: ("{" + ",".join(members) + "}").encode())
_WHOLE = st.tuples(st.permutations(("method", "type", "id")), st.sampled_from(_METHODS), _ESCAPED).map(
    lambda drawn: (
        "{" + ",".join(_member(name, {"method": drawn[1], "type": "req", "id": "7"}[name], drawn[2]) for name in drawn[0]) + "}"
    ).encode()
)


def readings(message: bytes) -> list[dict[str, Any]]:
    """The object as readers that take the last and the first of two members see it."""
    last = json.loads(message)
    first = json.loads(message, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    return [last, first]


_OUTBOUND = st.one_of(
    st.sampled_from(
        (
            connect(),
            request("health"),
            request("board.get", request_id="b"),
            request("plugin.surface.refresh", request_id="ps"),
            b"x",
            b"{}",
        )
    ),
    _WHOLE,
    st.binary(max_size=20),
)
_SECRETS = st.builds(spelled, st.just(PASSWORD), _ESCAPED)
_INBOUND = st.one_of(
    st.sampled_from(
        (CHALLENGE, captured("hello"), captured("mismatch"), captured("refresh"), answer("b", {}), answer(CONNECT_ID, {}), b"x")
    ),
    _SECRETS.map(lambda text: CHALLENGE.replace(b'"208c7373-9888-4dab-a2be-1abf29b5a0c3"', text.encode())),
    _SECRETS.map(lambda text: captured("hello").replace(b'"hello-ok"', b'"hello-ok",' + text.encode() + b":1")),
    _SECRETS.map(lambda text: captured("mismatch").replace(b'"AUTH_PASSWORD_MISMATCH"', text.encode())),
    _SECRETS.map(lambda text: captured("mismatch").replace(b'"INVALID_REQUEST"', text.encode())),
    _SECRETS.map(lambda text: f'{{"type":"res","id":"b","ok":true,"payload":{{"a":[{text}]}}}}'.encode()),
)


class PropertyTests(SynchronousTestCase):
    """Whatever is sent."""

    @given(_REQUESTS | _WHOLE | st.binary(max_size=60))
    def test_no_other_method_goes_on(self, message: bytes) -> None:
        """What goes on is a request for an allowed method to every reader, the very same bytes, however it is spelled."""
        outcome = connected().from_browser(message)
        if isinstance(outcome, Forward):
            self.assertEqual(outcome.octets, message)
            for reading in readings(message):
                self.assertIn(reading["method"], OPENCLAW_2026_9.allowed)
                self.assertEqual(reading["type"], "req")

    @given(_WHOLE)
    def test_every_spelling_of_an_allowed_method_goes_on(self, message: bytes) -> None:
        """And the rest is answered or ends the connection: the property above does not hold for nothing."""
        method = json.loads(message)["method"]
        outcome = connected().from_browser(message)
        expected = Forward if method in OPENCLAW_2026_9.allowed else Refuse if method in ("connect", "") else Answer
        self.assertIsInstance(outcome, expected)

    @given(
        _REQUESTS | st.binary(max_size=60) | st.dictionaries(st.text(max_size=8), st.text(max_size=8)).map(lambda found: connect(**found))
    )
    def test_first(self, message: bytes) -> None:
        """What goes on first is a connect of an operator with our password and no other credential, to every reader."""
        outcome = fresh().from_browser(message)
        if isinstance(outcome, Forward):
            for reading in readings(outcome.octets):
                params = reading["params"]
                self.assertEqual((reading["method"], params["role"], params["auth"]), ("connect", "operator", {"password": PASSWORD}))
        else:
            self.assertIsInstance(outcome, Refuse)

    @given(st.lists(st.tuples(st.just(True), _OUTBOUND) | st.tuples(st.just(False), _INBOUND), max_size=12))
    def test_no_secret_to_the_browser(self, messages: list[tuple[bool, bytes]]) -> None:
        """In no order of messages does the browser get the secret from what is looked at, nor does anything pass after a refusal."""
        dialogue, refused = fresh(), False
        for outward, message in messages:
            if not outward and not dialogue.watching:
                continue
            before = dialogue.connected
            outcome = dialogue.from_browser(message) if outward else dialogue.from_sandbox(message)
            if refused:
                self.assertIsInstance(outcome, Refuse)
            refused = refused or isinstance(outcome, Refuse)
            told = outcome.octets if isinstance(outcome, Answer) or (isinstance(outcome, Forward) and not outward) else b""
            told = outcome.answer or b"" if isinstance(outcome, Refuse) else told
            self.assertNotIn(PASSWORD, repr(outcome) + repr(dialogue) + dialogue.rejection)
            if not before or told != message:
                self.assertNotIn(PASSWORD, json.dumps(json.loads(told or b"0")))
