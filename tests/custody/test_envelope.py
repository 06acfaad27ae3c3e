"""Sealed values."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Any

from attrs import evolve
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.custody.budget import KeyWornOut, SealBudget
from coral_gate.custody.envelope import (
    MAX_KEY_VERSION,
    MAX_PLAINTEXT_BYTES,
    OVERHEAD_BYTES,
    Binding,
    length_prefixed,
    open_sealed,
    seal,
    stated_key_version,
)
from coral_gate.custody.subkeys import subkey
from coral_gate.errors import GateFault, SealBroken
from coral_gate.model import KeyPurpose, Secret, UserId

KEY = Secret(bytes(range(32)))
NONCE = bytes(range(100, 112))
ALICE = UserId("https://id.example", "alice")
PLACE = Binding("credentials", "row", "sealed", ALICE, 3)

texts = st.text(st.characters(), max_size=20)  # lone surrogates included
owners = st.none() | st.builds(UserId, texts, texts)
bindings = st.builds(Binding, texts, texts, texts, owners, st.integers(0, 2**64 - 1))
keys = st.binary(min_size=32, max_size=32).map(Secret)
versions = st.integers(1, MAX_KEY_VERSION)
nonces = st.binary(min_size=12, max_size=12)

_SPEC_KEY = "feffe9928665731c6d6a8f9467308308" * 2
_SPEC_TEXT = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
)
_SPEC_CIPHER = (
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
)
# Key, nonce, associated data, plaintext, ciphertext, tag: test cases 13 to 16 of the GCM specification that NIST published
# (McGrew, Viega), and the first of NIST's gcmEncryptExtIV256.rsp.
NIST = (
    ("00" * 32, "00" * 12, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
    ("00" * 32, "00" * 12, "", "00" * 16, "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"),
    (_SPEC_KEY, "cafebabefacedbaddecaf888", "", _SPEC_TEXT, _SPEC_CIPHER, "b094dac5d93471bdec1a502270e3cc6c"),
    (
        _SPEC_KEY,
        "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        _SPEC_TEXT[:120],
        _SPEC_CIPHER[:120],
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
    (
        "b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4",
        "516c33929df5a3284ff463d7",
        "",
        "",
        "",
        "bdc1ac884d332457a1d2664f168c76f0",
    ),
)


class PrimitiveTests(SynchronousTestCase):
    """What we build on."""

    def test_nist_vectors(self) -> None:
        """The cipher that seals gives NIST's own results for AES-256-GCM, and takes nothing else back."""
        for key, nonce, aad, clear, cipher, tag in NIST:
            aead = AESGCM(bytes.fromhex(key))
            sealed = aead.encrypt(bytes.fromhex(nonce), bytes.fromhex(clear), bytes.fromhex(aad))
            self.assertEqual(sealed.hex(), cipher + tag)
            self.assertEqual(aead.decrypt(bytes.fromhex(nonce), sealed, bytes.fromhex(aad)).hex(), clear)


class FormatTests(SynchronousTestCase):
    """The bytes of a sealed value."""

    def test_documented_bytes(self) -> None:
        """A sealed value can be read by the documentation alone: head, nonce, associated data, ciphertext, tag."""
        sealed = seal(KEY, 7, b"hello", PLACE, NONCE)
        head = bytes.fromhex("c60100000007")
        bound = b"coral-gate sealed value" + (3).to_bytes(8, "big") + b"\x05"
        for part in (b"credentials", b"row", b"sealed", b"https://id.example", b"alice"):
            bound += len(part).to_bytes(4, "big") + part
        self.assertEqual(sealed, head + NONCE + AESGCM(KEY.reveal()).encrypt(NONCE, b"hello", head + bound))

    def test_pinned(self) -> None:
        """The format never changes under values that are stored already."""
        self.assertEqual(
            seal(KEY, 7, b"hello", PLACE, NONCE).hex(),
            "c601000000076465666768696a6b6c6d6e6f207eb20a16d8f3479fde5f3be6bc81120ee97f157f",
        )

    def test_overhead(self) -> None:
        """Sealing adds 34 bytes, and the largest value is 64 KiB."""
        self.assertEqual(OVERHEAD_BYTES, 34)
        sealed = seal(KEY, 1, bytes(MAX_PLAINTEXT_BYTES), PLACE, NONCE)
        self.assertEqual(len(sealed), MAX_PLAINTEXT_BYTES + 34)
        self.assertEqual(open_sealed(KEY, 1, sealed, PLACE).reveal(), bytes(MAX_PLAINTEXT_BYTES))

    def test_bounds(self) -> None:
        """What cannot be sealed safely is refused, in words without the value."""
        wrong: tuple[tuple[Any, ...], ...] = (
            (Secret(b"short-planted"), 1, b"planted", PLACE, NONCE),
            (KEY, 0, b"planted", PLACE, NONCE),
            (KEY, MAX_KEY_VERSION + 1, b"planted", PLACE, NONCE),
            (KEY, 1, b"planted" + bytes(MAX_PLAINTEXT_BYTES), PLACE, NONCE),
            (KEY, 1, b"planted", PLACE, NONCE[:11]),
            (KEY, 1, b"planted", PLACE, NONCE + b"x"),
        )
        for arguments in wrong:
            error = self.assertRaises(ValueError, seal, *arguments)
            self.assertNotIn("planted", str(error))

    def test_versions_of_values(self) -> None:
        """A binding's version fits eight bytes."""
        Binding("", "", "", None, 2**64 - 1)
        for version in (-1, 2**64):
            with self.assertRaises(ValueError):
                Binding("", "", "", None, version)

    def test_key_version_is_stated(self) -> None:
        """The head says which key opens the value."""
        self.assertEqual(stated_key_version(seal(KEY, 0xDEADBEEF, b"", PLACE, NONCE)), 0xDEADBEEF)

    def test_unknown_formats(self) -> None:
        """A format or an algorithm of tomorrow is refused, not guessed."""
        sealed = seal(KEY, 1, b"hello", PLACE, NONCE)
        for place, other in ((0, 0xC7), (0, 0), (1, 0), (1, 2)):
            changed = bytearray(sealed)
            changed[place] = other
            self.assertRaises(SealBroken, stated_key_version, bytes(changed))
            self.assertRaises(SealBroken, open_sealed, KEY, 1, bytes(changed), PLACE)


class SealTests(SynchronousTestCase):
    """Sealing and opening."""

    @given(keys, versions, st.binary(max_size=300), bindings, nonces)
    def test_round_trip(self, key: Secret, version: int, clear: bytes, binding: Binding, nonce: bytes) -> None:
        """Whatever is sealed opens in its place, and its text is not in the sealed bytes."""
        sealed = seal(key, version, Secret(clear), binding, nonce)
        self.assertEqual(open_sealed(key, version, sealed, binding).reveal(), clear)
        self.assertTrue(len(clear) < 8 or clear not in sealed[18:])

    def test_every_bit(self) -> None:
        """Flipping any bit, or cutting or adding at either end, breaks the seal."""
        sealed = seal(KEY, 1, b"correct horse", PLACE, NONCE)
        broken = [sealed[:length] for length in range(len(sealed))]
        broken += [sealed[start:] for start in range(1, len(sealed))]
        broken += [sealed + b"\0", b"\0" + sealed]
        for bit in range(len(sealed) * 8):
            flipped = bytearray(sealed)
            flipped[bit // 8] ^= 1 << bit % 8
            broken.append(bytes(flipped))
        for value in broken:
            self.assertRaises(SealBroken, open_sealed, KEY, 1, value, PLACE)

    @given(bindings, bindings)
    def test_bindings_are_unambiguous(self, one: Binding, other: Binding) -> None:
        """Two different places never have the same bytes."""
        self.assertEqual(one.encode() == other.encode(), one == other)

    @given(st.lists(texts, max_size=5), st.lists(texts, max_size=5))
    def test_lengths_are_unambiguous(self, one: list[str], other: list[str]) -> None:
        """Texts behind their lengths never run into one another."""
        self.assertEqual(length_prefixed(*one) == length_prefixed(*other), one == other)

    def test_moved_parts(self) -> None:
        """Letters that move from one part of the place to the next make another place."""
        pairs = (
            (Binding("ab", "c", "", None, 0), Binding("a", "bc", "", None, 0)),
            (Binding("a", "b", "c", None, 0), Binding("a", "b", "c", UserId("", ""), 0)),
            (Binding("a", "b", "c", UserId("x", "yz"), 0), Binding("a", "b", "c", UserId("xy", "z"), 0)),
        )
        for one, other in pairs:
            self.assertNotEqual(one.encode(), other.encode())

    def test_moved_values(self) -> None:
        """A value moved to another table, row, column, owner or version, or offered to another key, does not open."""
        sealed = seal(KEY, 1, b"hello", PLACE, NONCE)
        places = (
            evolve(PLACE, table="other"),
            evolve(PLACE, row="other"),
            evolve(PLACE, column="other"),
            evolve(PLACE, owner=UserId("https://id.example", "bob")),
            evolve(PLACE, owner=UserId("https://evil.example", "alice")),
            evolve(PLACE, owner=None),
            evolve(PLACE, version=2),
        )
        for place in places:
            self.assertRaises(SealBroken, open_sealed, KEY, 1, sealed, place)
        self.assertRaises(SealBroken, open_sealed, KEY, 2, sealed, PLACE)
        self.assertRaises(SealBroken, open_sealed, Secret(bytes(32)), 1, sealed, PLACE)
        self.assertRaises(SealBroken, open_sealed, Secret(b"short"), 1, sealed, PLACE)

    @given(st.binary(max_size=120) | st.binary(max_size=60).map(lambda rest: b"\xc6\x01\0\0\0\x01" + rest), keys, bindings)
    def test_nothing_else_escapes(self, noise: bytes, key: Secret, binding: Binding) -> None:
        """Bytes from anywhere give nothing but the one fault."""
        self.assertRaises(SealBroken, open_sealed, key, 1, noise, binding)

    def test_fault_says_nothing(self) -> None:
        """The fault has no text of its own, no cause to read, and the sentence of any fault of ours."""
        sealed = seal(KEY, 1, b"hello", PLACE, NONCE)
        fault = self.assertRaises(SealBroken, open_sealed, KEY, 1, sealed[:-1] + b"\0", PLACE)
        self.assertEqual((str(fault), fault.args, fault.__cause__, fault.sentence), ("", (), None, GateFault.sentence))
        self.assertTrue(fault.__suppress_context__)

    def test_nonces_differ(self) -> None:
        """Over 100,000 seals with the system's entropy no nonce comes twice, and no two sealed values are alike."""
        sealed = {seal(KEY, 1, b"same", PLACE, os.urandom(12)) for _ in range(100_000)}
        self.assertEqual(len({value[6:18] for value in sealed}), 100_000)


class BudgetTests(SynchronousTestCase):
    """How often a key may seal."""

    def test_limit(self) -> None:
        """A key seals 2**32 times and no more."""
        self.assertEqual(SealBudget(), SealBudget(2**32))
        budget = SealBudget(2)
        budget.spend()
        budget.spend()
        self.assertRaises(KeyWornOut, budget.spend)
        self.assertRaises(KeyWornOut, budget.spend)


class SubkeyTests(SynchronousTestCase):
    """Keys for one purpose."""

    def test_pinned(self) -> None:
        """The derivation is RFC 5869 with SHA-256 and no salt, and never changes under what is sealed already."""
        extracted = hmac.digest(bytes(32), KEY.reveal(), hashlib.sha256)
        expected = hmac.digest(extracted, b"coral-gate subkey 1 values\x01", hashlib.sha256)
        self.assertEqual(subkey(KEY, KeyPurpose.VALUES).reveal(), expected)

    def test_purposes_differ(self) -> None:
        """No two purposes share a key, and none is the data key."""
        derived = {subkey(KEY, purpose).reveal() for purpose in KeyPurpose} | {KEY.reveal()}
        self.assertEqual(len(derived), len(KeyPurpose) + 1)

    @settings(max_examples=20)
    @given(st.binary(max_size=64).filter(lambda key: len(key) != 32))
    def test_length(self, key: bytes) -> None:
        """Only 32 bytes are a data key."""
        self.assertRaises(ValueError, subkey, Secret(key), KeyPurpose.DISK)
