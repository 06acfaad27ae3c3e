"""Strict JSON of the control channel."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.strict_json import CONTAINERS, DEPTH, NotStrictJSON, read_object, write_object

_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=20,
)
_PIECES = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        '"a"',
        '"b"',
        '"',
        "\\",
        '\\"',
        "\\u0061",
        "\\ud800",
        ":",
        ",",
        "1",
        "-0",
        "1e999",
        "NaN",
        "null",
        " ",
        "\n",
        "é",
        '{"a":',
        '"[[["',
        "[[[[[[[[",
        "]]]]]]]]",
        '{"\\u0061":1,"a":2}',
        "9" * 50,
        "\ufeff",
        "\x00",
    ]
)


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    """An object with arrays (or what is given) in it, so deep in all."""
    return b'{"a":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + b"}"


def depth_of(value: object) -> int:
    """How deep it nests, by another way than the one under test."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


class ReadTests(SynchronousTestCase):
    """`read_object`."""

    def test_refused(self) -> None:
        """Other values than objects, repeated names at any depth and in any spelling, NaN, broken UTF-8, and what follows."""
        for text in (
            b"",
            b" ",
            b"[]",
            b"5",
            b"null",
            b'"{}"',
            b"{",
            b"{}x",
            b"{}{}",
            b"\xff{}",
            b"\xef\xbb\xbf{}",
            b'{"a":"\xff"}',
            b"{'a':1}",
            b'{"a":1,}',
            b'{"a":1,"a":1}',
            b'{"x":{"a":1,"\\u0061":2}}',
            b'{"x":[{"\\ud800":1,"\\uD800":2}]}',
            b'{"a":NaN}',
            b'{"a":-Infinity}',
            b'{"a":1e999}',
            b'{"a":01}',
            b'{"a":"\n"}',
            b'{"a":"\\x"}',
            b'{"a":"\xed\xa0\x80"}',
            '{"a":１}'.encode(),
            b"{\x00}",
            '{"a":1}'.encode("utf-16"),
        ):
            self.assertRaises(NotStrictJSON, read_object, text)

    def test_depth(self) -> None:
        """`DEPTH` levels pass and one more does not, whatever stands in strings; without end is as good as one more."""
        self.assertEqual(depth_of(read_object(nested(DEPTH))), DEPTH)
        self.assertRaises(NotStrictJSON, read_object, nested(DEPTH + 1))
        self.assertRaises(NotStrictJSON, read_object, nested(DEPTH + 1, b'{"a":', b"}"))
        for opening in (b"[", b"{", b'{"a":', b'[{"a":"]]]]"},'):
            self.assertRaises(NotStrictJSON, read_object, b'{"a":' + opening * 100_000)
        self.assertEqual(read_object(b'{"a":"' + b"[{" * 5000 + b'"}'), {"a": "[{" * 5000})
        self.assertEqual(read_object(b'{"a":"' + b'\\"[' * 5000 + b'"}'), {"a": '"[' * 5000})

    def test_linear(self) -> None:
        """A string without end, full of quotes, is looked through once: once from every quote would take hours."""
        self.assertRaises(NotStrictJSON, read_object, b'{"a":' + b"[" * 70 + b'"' + b'\\"' * 500_000)

    def test_bounds(self) -> None:
        """Numbers and the count of containers are bounded: what is short on the wire is not long in memory."""
        self.assertEqual(read_object(b'{"a":' + b"9" * 40 + b"}"), {"a": int("9" * 40)})
        for number in (b"9" * 41, b"9" * 5000, b"-" + b"9" * 40, b"1." + b"0" * 39):
            self.assertRaises(NotStrictJSON, read_object, b'{"a":' + number + b"}")
        self.assertEqual(len(read_object(b'{"a":[' + b",".join([b"{}"] * (CONTAINERS - 2)) + b"]}")), 1)
        self.assertRaises(NotStrictJSON, read_object, b'{"a":[' + b",".join([b"{}"] * (CONTAINERS - 1)) + b"]}")

    def test_the_error_holds_none_of_the_text(self) -> None:
        """What could not be read might hold a secret: it is in no message and no chained exception."""
        error = self.assertRaises(NotStrictJSON, read_object, b'{"password": "secret')
        self.assertNotIn("secret", repr(error))
        self.assertTrue(error.__suppress_context__)

    @given(st.dictionaries(_TEXT, _VALUES, max_size=4))
    def test_round_trip(self, members: dict[str, object]) -> None:
        """What is written is read unchanged, halves of surrogate pairs included, and in ASCII."""
        # Two halves that stand beside each other are one character to every JSON reader.
        members = json.loads(json.dumps(members))
        text = write_object(members)
        self.assertEqual((read_object(text), text.isascii()), (members, True))

    @given(st.lists(_PIECES, max_size=40).map(lambda pieces: "".join(pieces).encode()) | st.binary(max_size=60))
    def test_nothing_else_escapes(self, text: bytes) -> None:
        """Any bytes give an object as json reads it, or `NotStrictJSON`."""
        for candidate in (text, b'{"a":' + text + b"}"):
            try:
                found = read_object(candidate)
            except NotStrictJSON:
                continue
            self.assertEqual(found, json.loads(candidate))
            self.assertLessEqual(depth_of(found), DEPTH)

    @given(_VALUES, st.integers(0, 70))
    def test_depth_of_anything(self, value: object, around: int) -> None:
        """However deep anything is wrapped, it is read exactly where its depth is at most `DEPTH`."""
        for _ in range(around):
            value = [value, "]["]
        text = json.dumps({"a": value}).encode()
        if 1 + depth_of(value) <= DEPTH:
            self.assertEqual(json.dumps(read_object(text)["a"]), json.dumps(json.loads(text)["a"]))
        else:
            self.assertRaises(NotStrictJSON, read_object, text)
