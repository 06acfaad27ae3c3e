"""
New credentials.
"""

from __future__ import annotations

import string
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_ssh_private_key

from coral_gate.custody.keyring import Entropy
from coral_gate.model import Secret, ServiceName

_ALPHABET: Final = (string.ascii_letters + string.digits).encode()
CHARACTERS: Final = 43
"""The fewest characters of 62 kinds that hold 256 bits."""

_UNBIASED: Final = 256 - 256 % len(_ALPHABET)
_ED25519_SEED_BYTES: Final = 32


def generate(entropy: Entropy, characters: int = CHARACTERS) -> Secret:
    """
    A new password of `A-Z`, `a-z` and `0-9` only, so that in a URL and in JSON it is written as itself; each character is as likely.

    :param characters: 43 hold 256 bits.
    """
    made = bytearray()
    while len(made) < characters:
        # Bytes beyond the last whole multiple of 62 would make some characters likelier: they are thrown away.
        made += bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in entropy(characters) if byte < _UNBIASED)
    return Secret(bytes(made[:characters]))


def generate_ssh_key(entropy: Entropy) -> Secret:
    """A new Ed25519 private key, as OpenSSH writes it."""
    key = Ed25519PrivateKey.from_private_bytes(entropy(_ED25519_SEED_BYTES))
    return Secret(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))


def ssh_public_key(key: Secret) -> str:
    """
    The line that lets a private key in, for `authorized_keys`.

    :raises ValueError: it is no private key as OpenSSH writes it, or it has a passphrase.
    """
    public = load_ssh_private_key(key.reveal(), None).public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def new_credential(service: ServiceName, entropy: Entropy) -> Secret:
    """A new credential of the kind that a service takes: a key for SSH, else a password."""
    return generate_ssh_key(entropy) if service is ServiceName.SSH else generate(entropy)
