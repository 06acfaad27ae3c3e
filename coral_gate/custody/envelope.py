"""
Sealed values: AES-256-GCM (NIST SP 800-38D), each bound to the place it belongs to.

A sealed value is ::

    byte 0        format, 0xC6
    byte 1        algorithm, 1 = AES-256-GCM with a 96-bit nonce and a 128-bit tag
    bytes 2-5     version of the key, unsigned, big-endian
    bytes 6-17    nonce
    bytes 18-     ciphertext, as long as the plaintext, then the tag of 16 bytes

Its associated data are bytes 0-5, then the `Binding`. So a value that is changed, cut, moved to another row or owner,
or brought back from an older version does not open.

Nonces are random, so one key may seal at most 2**32 values (SP 800-38D §8.3); `coral_gate.custody.budget` counts where
one process sees every use of a key. Nothing here reads a clock or entropy.
"""

from __future__ import annotations

from typing import Final

from attrs import field, frozen, validators
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from coral_gate.errors import SealBroken
from coral_gate.model import Secret, UserId

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
MAX_PLAINTEXT_BYTES: Final = 65_536
MAX_KEY_VERSION: Final = 2**32 - 1

_FORMAT: Final = 0xC6
_AES_256_GCM: Final = 1
_FIXED_BYTES: Final = 6
_HEAD_BYTES: Final = _FIXED_BYTES + NONCE_BYTES
OVERHEAD_BYTES: Final = _HEAD_BYTES + TAG_BYTES
_DOMAIN: Final = b"coral-gate sealed value"


@frozen
class Binding:
    """
    The one place where a sealed value opens.

    :ivar owner: the user it belongs to, or None for the gate's own.
    :ivar version: of the value, 0 to 2**64 - 1; a value that is replaced does not open as its successor.
    """

    table: str
    row: str
    column: str
    owner: UserId | None
    version: int = field(validator=[validators.ge(0), validators.lt(2**64)])

    def encode(self) -> bytes:
        """Bytes that no other binding gives: each part goes behind its own length."""
        owner = () if self.owner is None else (self.owner.iss, self.owner.sub)
        parts = (self.table, self.row, self.column, *owner)
        return _DOMAIN + self.version.to_bytes(8, "big") + len(parts).to_bytes(1, "big") + length_prefixed(*parts)


def length_prefixed(*parts: str) -> bytes:
    """
    Texts as bytes, unambiguously: each as UTF-8 behind its length in bytes (four bytes, big-endian).

    Lone surrogates, which JSON can carry, are encoded too: different texts never give the same bytes.
    """
    encoded = (part.encode("utf-8", "surrogatepass") for part in parts)
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def seal(key: Secret, key_version: int, plaintext: Secret | bytes, binding: Binding, nonce: bytes) -> bytes:
    """
    Seal a value for one place.

    :param key: 32 bytes.
    :param key_version: 1 to 2**32 - 1; it is written into the head.
    :param plaintext: at most 64 KiB.
    :param nonce: 12 fresh random bytes, never used with this key before.
    :raises ValueError: a length or the version is out of bounds; the text holds no part of the values.
    """
    # What is sealed stays out of this frame's variables: tools that report errors show those.
    hidden = plaintext if isinstance(plaintext, Secret) else Secret(plaintext)
    _check_lengths(key, key_version, hidden, nonce)
    fixed = bytes((_FORMAT, _AES_256_GCM)) + key_version.to_bytes(4, "big")
    return fixed + nonce + AESGCM(key.reveal()).encrypt(nonce, hidden.reveal(), fixed + binding.encode())


def open_sealed(key: Secret, key_version: int, sealed: bytes, binding: Binding) -> Secret:
    """
    Open a value in its place.

    :param key_version: of `key`; a value that was sealed under another does not open.
    :raises SealBroken: anything at all is not as it was when it was sealed.
    """
    if stated_key_version(sealed) != key_version or len(key.reveal()) != KEY_BYTES:
        raise SealBroken
    fixed, nonce = sealed[:_FIXED_BYTES], sealed[_FIXED_BYTES:_HEAD_BYTES]
    try:
        return Secret(AESGCM(key.reveal()).decrypt(nonce, sealed[_HEAD_BYTES:], fixed + binding.encode()))
    except InvalidTag:
        raise SealBroken from None


def stated_key_version(sealed: bytes) -> int:
    """
    The key version in the head of a sealed value, to choose the key by; it is proven only when the value opens.

    :raises SealBroken: this is no sealed value that we know to open: its length, format or algorithm.
    """
    if not OVERHEAD_BYTES <= len(sealed) <= OVERHEAD_BYTES + MAX_PLAINTEXT_BYTES:
        raise SealBroken
    if sealed[0] != _FORMAT or sealed[1] != _AES_256_GCM:
        raise SealBroken
    return int.from_bytes(sealed[2:_FIXED_BYTES], "big")


def _check_lengths(key: Secret, key_version: int, plaintext: Secret, nonce: bytes) -> None:
    if len(key.reveal()) != KEY_BYTES:
        raise ValueError(f"a key is {KEY_BYTES} bytes")
    if not 1 <= key_version <= MAX_KEY_VERSION:
        raise ValueError(f"a key's version is 1 to {MAX_KEY_VERSION}")
    if len(plaintext.reveal()) > MAX_PLAINTEXT_BYTES:
        raise ValueError(f"a sealed value holds at most {MAX_PLAINTEXT_BYTES} bytes")
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce is {NONCE_BYTES} bytes")
