"""Escrow copies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from attrs import evolve
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.custody.envelope import Binding, length_prefixed, seal
from coral_gate.custody.escrow import EscrowedKey, _shared_key, open_escrow, read_private_key, read_public_key, seal_for_operator
from coral_gate.custody.escrowfolder import EscrowFolder
from coral_gate.custody.memory_files import MemoryFiles
from coral_gate.errors import SealBroken
from coral_gate.model import Secret, UserId

OPERATOR = X25519PrivateKey.from_private_bytes(bytes(range(32)))
EPHEMERAL = X25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
NONCE = bytes(12)
WHEN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
ESCROWED = EscrowedKey(UserId("https://id.example", "alice"), 3, Secret(b"k" * 32), WHEN)

texts = st.text(st.characters(), max_size=20)


def shown(escrowed: EscrowedKey) -> tuple[object, ...]:
    return (escrowed.owner, escrowed.version, escrowed.key.reveal(), escrowed.destroyed_at)


def copy_of(clear: bytes, seconds: int = 0) -> bytes:
    """A copy with any content, as whoever has the public key can make it."""
    public, operator = EPHEMERAL.public_key(), OPERATOR.public_key()
    key = _shared_key(EPHEMERAL.exchange(operator), public, operator)
    head = b"\xce\x01" + seconds.to_bytes(8, "big") + public.public_bytes_raw()
    return head + seal(key, 1, clear, Binding("escrow", "", "key", None, seconds), NONCE)


class CopyTests(SynchronousTestCase):
    """One copy."""

    def setUp(self) -> None:
        self.copy = seal_for_operator(ESCROWED, OPERATOR.public_key(), EPHEMERAL, NONCE)

    @given(texts, texts, st.integers(1, 2**32 - 1), st.binary(min_size=32, max_size=32))
    def test_round_trip(self, iss: str, sub: str, version: int, key: bytes) -> None:
        """The operator's private key opens a copy, and finds whose key it is."""
        escrowed = EscrowedKey(UserId(iss, sub), version, Secret(key), WHEN)
        copy = seal_for_operator(escrowed, OPERATOR.public_key(), EPHEMERAL, NONCE)
        self.assertEqual(shown(open_escrow(copy, OPERATOR)), shown(escrowed))

    def test_documented_bytes(self) -> None:
        """The copy is as documented."""
        clear = length_prefixed("https://id.example", "alice") + (3).to_bytes(4, "big") + b"k" * 32
        self.assertEqual(self.copy, copy_of(clear, int(WHEN.timestamp())))

    def test_whole_seconds(self) -> None:
        """Fractions of the second of destruction are dropped."""
        copy = seal_for_operator(evolve(ESCROWED, destroyed_at=WHEN + timedelta(microseconds=7)), OPERATOR.public_key(), EPHEMERAL, NONCE)
        self.assertEqual(copy, self.copy)

    def test_every_bit(self) -> None:
        """A copy of which any bit is changed, or anything is missing, does not open."""
        broken = [self.copy[:length] for length in range(len(self.copy))] + [self.copy + b"\0"]
        for bit in range(len(self.copy) * 8):
            if bit == 41 * 8:
                continue  # the highest bit of an X25519 public key does not count (RFC 7748 §5); tested below
            changed = bytearray(self.copy)
            changed[bit // 8] ^= 1 << (7 - bit % 8)
            broken.append(bytes(changed))
        for copy in broken:
            self.assertRaises(SealBroken, open_escrow, copy, OPERATOR)

    def test_highest_bit(self) -> None:
        """The one bit of the public key that the exchange leaves out breaks the seal as well."""
        changed = bytearray(self.copy)
        changed[41] ^= 0x80
        self.assertRaises(SealBroken, open_escrow, bytes(changed), OPERATOR)

    def test_another_key(self) -> None:
        """Another private key opens nothing."""
        self.assertRaises(SealBroken, open_escrow, self.copy, X25519PrivateKey.from_private_bytes(bytes(32)))

    def test_low_order(self) -> None:
        """An ephemeral key of low order, with which anybody would know the secret, is refused."""
        self.assertRaises(SealBroken, open_escrow, self.copy[:10] + bytes(32) + self.copy[42:], OPERATOR)

    def test_forged_content(self) -> None:
        """What opens, but was not written by us, is refused in the same way."""
        good = length_prefixed("i", "s") + bytes(36)
        self.assertEqual(open_escrow(copy_of(good), OPERATOR).owner, UserId("i", "s"))
        for clear in (b"", good[:-1], good + b"\0", b"\xff" * 44, length_prefixed("i") + bytes(36), b"\0\0\0\1\xff" + bytes(40)):
            self.assertRaises(SealBroken, open_escrow, copy_of(clear), OPERATOR)
        self.assertRaises(SealBroken, open_escrow, copy_of(good, 2**64 - 1), OPERATOR)

    @given(st.binary(max_size=120).map(lambda rest: b"\xce\x01" + rest))
    def test_nothing_else_escapes(self, noise: bytes) -> None:
        """Bytes from anywhere give nothing but the one fault."""
        self.assertRaises(SealBroken, open_escrow, noise, OPERATOR)


class KeyFileTests(SynchronousTestCase):
    """The operator's two files."""

    def test_read(self) -> None:
        """Both halves are read from PEM."""
        private = OPERATOR.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        public = OPERATOR.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.assertEqual(read_private_key(Secret(private)).private_bytes_raw(), OPERATOR.private_bytes_raw())
        self.assertEqual(read_public_key(public).public_bytes_raw(), OPERATOR.public_key().public_bytes_raw())

    def test_refused(self) -> None:
        """Other keys, keys behind a passphrase, the wrong half and noise are refused."""
        other = Ed25519PrivateKey.generate()
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        publics = [b"", b"planted", other.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)]
        publics.append(OPERATOR.private_bytes(pem, pkcs8, serialization.NoEncryption()))
        for public in publics:
            self.assertNotIn("planted", str(self.assertRaises(ValueError, read_public_key, public)))
        privates = [b"", b"planted", other.private_bytes(pem, pkcs8, serialization.NoEncryption())]
        privates.append(OPERATOR.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"passphrase")))
        for private in privates:
            self.assertNotIn("planted", str(self.assertRaises(ValueError, read_private_key, Secret(private))))


class EscrowFolderTests(SynchronousTestCase):
    """Copies that are kept."""

    def setUp(self) -> None:
        self.files = MemoryFiles()
        self.now = WHEN
        self.folder = EscrowFolder(self.files, OPERATOR.public_key(), lambda: self.now)

    def test_seven_days(self) -> None:
        """A copy is kept for seven days to the second, and then destroyed."""
        self.folder.keep("0" * 64, self.folder.seal(ESCROWED.owner, 3, ESCROWED.key))
        self.assertEqual(self.files.names(), ("0" * 64 + f"-{int(WHEN.timestamp())}",))
        self.now = WHEN + timedelta(days=7, seconds=-1)
        self.assertEqual((self.folder.purge(), len(self.files.names())), (0, 1))
        copy = self.files.read(self.files.names()[0])
        assert copy is not None
        self.assertEqual(shown(open_escrow(copy, OPERATOR)), shown(ESCROWED))
        self.now = WHEN + timedelta(days=7)
        self.assertEqual((self.folder.purge(), self.files.names()), (1, ()))

    def test_two_of_one_user(self) -> None:
        """A user whose key is destroyed again has two copies."""
        for _ in range(2):
            self.folder.keep("0" * 64, self.folder.seal(ESCROWED.owner, 3, ESCROWED.key))
            self.now += timedelta(hours=1)
        self.assertEqual(len(self.files.names()), 2)

    def test_others_stay(self) -> None:
        """Files that are no copies are left alone."""
        self.files.create("notes", b"")
        self.files.create("0" * 63 + "-1", b"")
        self.assertEqual(self.folder.purge(), 0)
        self.assertEqual(len(self.files.names()), 2)

    def test_fresh_every_time(self) -> None:
        """Each copy has an ephemeral key of its own."""
        copies = {self.folder.seal(ESCROWED.owner, 3, ESCROWED.key)[10:42] for _ in range(20)}
        self.assertEqual(len(copies), 20)
