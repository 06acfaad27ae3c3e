"""The callback's query: what is taken, and that nothing but the refusal ever comes out."""

from __future__ import annotations

from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.errors import SignInRefused
from coral_gate.identity.callback import Callback, parse_callback

_VISIBLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=60)


class CallbackTests(SynchronousTestCase):
    """`parse_callback`."""

    def refuses(self, query: bytes) -> None:
        refusal = self.assertRaises(SignInRefused, parse_callback, query)
        self.assertEqual(refusal.reason, "callback.malformed")

    def test_googles(self) -> None:
        """A callback as Google sends it: what we do not know in it is ignored."""
        query = (
            b"state=s%2Bs&iss=https%3A%2F%2Faccounts.google.com&code=4%2F0AX4&scope=email+openid+https%3A%2F%2Fwww.googleapis.com"
            b"%2Fauth%2Fuserinfo.email&authuser=0&hd=good.example&prompt=none"
        )
        self.assertEqual(parse_callback(query), Callback("s+s", "4/0AX4", "https://accounts.google.com", None))

    def test_nothing(self) -> None:
        """An empty query has nothing in it."""
        self.assertEqual(parse_callback(b""), Callback(None, None, None, None))

    def test_malformed(self) -> None:
        """Bad escapes, bytes that no browser sends, control characters, empty and repeated parameters."""
        for query in (b"state=%zz", b"state=%", b"state=\xff", b"state=a b", b"state=<b>", b"state=%0d%0aX", b"code=%00", b"iss=%C3%A9"):
            self.refuses(query)
        for query in (b"state=", b"code=", b"error=", b"state", b"state=a&state=a", b"a&a", b"=1&=2"):
            self.refuses(query)

    def test_bounds(self) -> None:
        """The longest that is taken, and one more."""
        self.assertEqual(len(parse_callback(b"code=" + b"c" * 4096).code or ""), 4096)
        self.refuses(b"code=" + b"c" * 4097)
        self.refuses(b"state=" + b"s" * 1025)
        parse_callback(b"&".join(b"%d=" % number for number in range(24)))
        self.refuses(b"&".join(b"%d=" % number for number in range(25)))
        self.refuses(b"x=" + b"x" * 8191)

    def test_shows_nothing(self) -> None:
        """Neither the code nor the state is in the repr."""
        self.assertEqual(repr(parse_callback(b"code=secret&state=other&error=bad")), "Callback(iss=None)")

    @given(st.fixed_dictionaries({}, optional=dict.fromkeys(("state", "code", "iss", "error"), _VISIBLE)))
    def test_round_trip(self, named: dict[str, str]) -> None:
        """Whatever visible text an issuer sends comes through unchanged."""
        callback = parse_callback(urlencode(named).encode())
        for name in ("state", "code", "iss", "error"):
            self.assertEqual(getattr(callback, name), named.get(name))

    @given(st.binary(max_size=200) | st.from_regex(rb"[a-z%0-9&=+;]{0,80}", fullmatch=True))
    def test_nothing_else_escapes(self, query: bytes) -> None:
        """Any bytes give a callback or the refusal."""
        try:
            parse_callback(query)
        except SignInRefused:
            pass
