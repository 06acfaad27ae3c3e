"""How master keys are written."""

from __future__ import annotations

import base64
import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.custody.masterkeys import MasterKeys, UnfitMasterKey, parse_master_keys, show_master_keys
from coral_gate.model import Secret

KEY = bytes(range(50, 82))
OTHER = bytes(range(150, 182))


def plain(keys: MasterKeys) -> tuple[int, dict[int, bytes]]:
    return keys.current, {version: key.reveal() for version, key in keys.keys.items()}


def read(text: bytes) -> tuple[int, dict[int, bytes]]:
    return plain(parse_master_keys(Secret(text)))


class ParseTests(SynchronousTestCase):
    """Reading them."""

    def test_one_key(self) -> None:
        """One key is version 1, raw, in hexadecimal or in base64, with or without a line's end."""
        for text in (KEY, KEY.hex().encode(), KEY.hex().upper().encode() + b"\n", base64.b64encode(KEY), base64.b64encode(KEY) + b"\r\n"):
            self.assertEqual(read(text), (1, {1: KEY}))

    def test_versions(self) -> None:
        """Several keys have their versions in front; the first is current."""
        text = b"# rotated in spring\n\n3: " + KEY.hex().encode() + b"\n2:" + base64.b64encode(OTHER) + b"\n"
        self.assertEqual(read(text), (3, {3: KEY, 2: OTHER}))

    def test_refused(self) -> None:
        """Everything else is refused, in a sentence without any of it."""
        key, other = KEY.hex().encode(), OTHER.hex().encode()
        texts = {
            b"": "It is empty.",
            b"\n# nothing\n": "It is empty.",
            KEY + b"\n": "Line 1 holds no key: expected 64 hexadecimal digits or 44 characters of base64.",
            key[:-1]: "Line 1 holds no key: expected 64 hexadecimal digits or 44 characters of base64.",
            b"1:" + key + b"\n1:" + other: "Line 2 gives a version a second key.",
            b"1:" + key + b"\n2:" + key: "Two versions have the same key.",
            b"0:" + key: "Line 1 is not a version from 1 to 4294967295, a colon and a key.",
            b"4294967296:" + key: "Line 1 is not a version from 1 to 4294967295, a colon and a key.",
            key + b"\n2:" + other: "Line 1 is not a version from 1 to 4294967295, a colon and a key.",
            b"1:" + key + b" x": "Line 1 is not a version from 1 to 4294967295, a colon and a key.",
            b"00" * 32: "Line 1 holds a key that is not random.",
            bytes(32): "Line 1 holds a key that is not random.",
            b"1:" + base64.b64encode(KEY)[:-2] + b"F=": "Line 1 holds base64 with bits to spare that are not zero.",
            b"#" * 70_000: "It is far too long for a master key.",
            b"".join(b"%d:%s\n" % (version, os.urandom(32).hex().encode()) for version in range(1, 258)): "It has more than 256 versions.",
        }
        for text, sentence in texts.items():
            error = self.assertRaises(UnfitMasterKey, parse_master_keys, Secret(text))
            self.assertEqual(str(error), sentence)

    @given(st.binary(max_size=80) | st.text("0123456789abcdef:\n# =+/", max_size=200).map(str.encode))
    def test_nothing_else_escapes(self, text: bytes) -> None:
        """Whatever stands there, it is keys of 32 bytes, or the one error."""
        try:
            keys = parse_master_keys(Secret(text))
        except UnfitMasterKey:
            return
        self.assertIn(keys.current, keys.keys)
        self.assertEqual({len(key.reveal()) for key in keys.keys.values()}, {32})

    def test_round_trip(self) -> None:
        """What is written is read back as it was."""
        keys = MasterKeys(2, {1: Secret(KEY), 2: Secret(OTHER), 7: Secret(os.urandom(32))})
        self.assertEqual(plain(parse_master_keys(show_master_keys(keys))), plain(keys))
