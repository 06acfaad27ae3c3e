"""
Keys for one purpose each, derived from a user's data key: HKDF with SHA-256 (RFC 5869).
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from coral_gate.custody.envelope import KEY_BYTES
from coral_gate.model import KeyPurpose, Secret

_LABEL: Final = "coral-gate subkey 1 "


def subkey(data_key: Secret, purpose: KeyPurpose) -> Secret:
    """
    The key for one purpose: 32 bytes, always the same; neither the data key nor another purpose's key follows from it.

    :param data_key: 32 random bytes.
    :raises ValueError: the data key has another length.
    """
    if len(data_key.reveal()) != KEY_BYTES:
        raise ValueError(f"a data key is {KEY_BYTES} bytes")
    # No salt: the data key is uniformly random already (RFC 5869 §3.1 lets it be absent).
    derivation = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=(_LABEL + purpose.value).encode())
    return Secret(derivation.derive(data_key.reveal()))
