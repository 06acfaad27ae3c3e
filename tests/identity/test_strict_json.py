"""JSON objects from outside."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.identity.strict_json import json_object

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


class StrictJSONTests(SynchronousTestCase):
    """`json_object`."""

    def test_refused(self) -> None:
        """Other values than objects, repeated names at any depth, NaN, broken UTF-8, and depth without end."""
        for text in (b"", b"[]", b"5", b"null", b'"{}"', b"{", b"{}x", b"\xff{}", b"\xef\xbb\xbf{}", b'{"a": "\xff"}'):
            self.assertRaises(ValueError, json_object, text)
        for text in (b'{"a":1,"a":1}', b'{"x":{"a":1,"\\u0061":2}}', b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":' * 50000, b"[" * 100000):
            self.assertRaises(ValueError, json_object, text)
        self.assertRaises(ValueError, json_object, b'{"a":' + b"9" * 5000 + b"}")

    def test_the_error_holds_none_of_the_text(self) -> None:
        """What could not be read might be a token: it is in no message and no chained exception."""
        error = self.assertRaises(ValueError, json_object, b'{"id_token": "secret')
        self.assertNotIn("secret", repr(error))
        self.assertTrue(error.__suppress_context__)

    @given(st.dictionaries(st.text(), _VALUES, max_size=4))
    def test_round_trip(self, members: dict[str, object]) -> None:
        """What json writes is read unchanged."""
        self.assertEqual(json_object(json.dumps(members).encode()), members)

    @given(st.binary(max_size=100))
    def test_nothing_else_escapes(self, text: bytes) -> None:
        """Any bytes give an object or ValueError."""
        try:
            self.assertIsInstance(json_object(text), dict)
        except ValueError:
            pass
