"""
Escrow: a destroyed user's key, sealed to a key that the operator keeps offline, for the few days in which a mistake is noticed.

An escrow copy is ::

    byte 0        format, 0xCE
    byte 1        algorithm, 1 = ephemeral-static X25519 (RFC 7748), HKDF with SHA-256, AES-256-GCM
    bytes 2-9     when the key was destroyed, in seconds since 1970, unsigned, big-endian
    bytes 10-41   the ephemeral public key
    bytes 42-     a sealed value (`coral_gate.custody.envelope`): issuer and subject, each behind its length in four
                  bytes; the data key's version in four bytes; the data key

The gate has the operator's public key alone: it can make these copies and cannot open them. So can whoever else has
that public key: a copy proves nothing about who made it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from attrs import frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from coral_gate.custody.envelope import KEY_BYTES, Binding, length_prefixed, open_sealed, seal
from coral_gate.errors import SealBroken
from coral_gate.model import Secret, UserId

_FORMAT: Final = b"\xce\x01"
_TIME_END: Final = 10
_HEAD_BYTES: Final = 42
_LABEL: Final = b"coral-gate escrow 1 "
_KEY_VERSION: Final = 1
_VERSION_BYTES: Final = 4


@frozen
class EscrowedKey:
    """
    What an escrow copy holds.

    :ivar version: of the data key.
    :ivar destroyed_at: aware, UTC, whole seconds.
    """

    owner: UserId
    version: int
    key: Secret
    destroyed_at: datetime


def read_public_key(pem: bytes) -> X25519PublicKey:
    """
    Read the operator's public key: PEM, as `coral-gate keys escrow-init` or `openssl pkey -pubout` write it.

    :raises ValueError: it is no X25519 public key.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, X25519PublicKey):
        raise ValueError("This is no X25519 public key in PEM.")
    return key


def read_private_key(pem: Secret) -> X25519PrivateKey:
    """
    Read the operator's private key: PEM, PKCS #8, without a passphrase.

    :raises ValueError: it is no X25519 private key, or it has a passphrase.
    """
    try:
        key = load_pem_private_key(pem.reveal(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, X25519PrivateKey):
        raise ValueError("This is no X25519 private key in PEM, or it has a passphrase.")
    return key


def seal_for_operator(escrowed: EscrowedKey, operator: X25519PublicKey, ephemeral: X25519PrivateKey, nonce: bytes) -> bytes:
    """
    Make an escrow copy.

    :param ephemeral: a fresh key, for this copy alone.
    :param nonce: 12 fresh random bytes.
    """
    seconds = int(escrowed.destroyed_at.timestamp())
    public = ephemeral.public_key()
    key = _shared_key(ephemeral.exchange(operator), public, operator)
    clear = length_prefixed(escrowed.owner.iss, escrowed.owner.sub) + escrowed.version.to_bytes(4, "big") + escrowed.key.reveal()
    sealed = seal(key, _KEY_VERSION, clear, _binding(seconds), nonce)
    return _FORMAT + seconds.to_bytes(8, "big") + public.public_bytes_raw() + sealed


def open_escrow(copy: bytes, operator: X25519PrivateKey) -> EscrowedKey:
    """
    Open an escrow copy.

    :raises SealBroken: it was changed, or was sealed to another key.
    """
    if not copy.startswith(_FORMAT) or len(copy) < _HEAD_BYTES:
        raise SealBroken
    seconds = int.from_bytes(copy[len(_FORMAT) : _TIME_END], "big")
    ephemeral = X25519PublicKey.from_public_bytes(copy[_TIME_END:_HEAD_BYTES])
    try:
        shared = operator.exchange(ephemeral)
    except ValueError:  # a point of low order (RFC 7748 §6.1)
        raise SealBroken from None
    key = _shared_key(shared, ephemeral, operator.public_key())
    return _read(open_sealed(key, _KEY_VERSION, copy[_HEAD_BYTES:], _binding(seconds)), seconds)


def _read(clear: Secret, seconds: int) -> EscrowedKey:
    """
    Take apart what opened, strictly: whoever has the operator's public key can make something that opens.

    :raises SealBroken: it is not what `seal_for_operator` writes.
    """
    try:
        iss, rest = _text(clear.reveal())
        sub, rest = _text(rest)
        destroyed_at = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise SealBroken from None
    if len(rest) != _VERSION_BYTES + KEY_BYTES:
        raise SealBroken
    version, key = int.from_bytes(rest[:_VERSION_BYTES], "big"), Secret(rest[_VERSION_BYTES:])
    return EscrowedKey(UserId(iss, sub), version, key, destroyed_at)


def _text(clear: bytes) -> tuple[str, bytes]:
    end = 4 + int.from_bytes(clear[:4], "big")
    return clear[4:end].decode("utf-8", "surrogatepass"), clear[end:]


def _shared_key(shared: bytes, ephemeral: X25519PublicKey, operator: X25519PublicKey) -> Secret:
    # Both public keys go in, so that the key belongs to this exchange alone (RFC 7748 §6.1).
    context = _LABEL + ephemeral.public_bytes_raw() + operator.public_bytes_raw()
    return Secret(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=context).derive(shared))


def _binding(seconds: int) -> Binding:
    return Binding("escrow", "", "key", None, seconds)
