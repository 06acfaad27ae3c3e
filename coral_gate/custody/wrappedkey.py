"""
The file of one user's data key.

Its name is the user's `holder`: 64 hexadecimal digits that show nobody's name. Its bytes are ::

    byte 0        format, 0xC7
    byte 1        1
    bytes 2-5     version of the data key, unsigned, big-endian
    bytes 6-      the data key as the keyring wrapped it, bound to the holder and this version
"""

from __future__ import annotations

import hashlib
from typing import Final

from attrs import frozen

from coral_gate.custody.envelope import length_prefixed
from coral_gate.errors import SealBroken
from coral_gate.model import UserId

_FORMAT: Final = b"\xc7\x01"
_HEAD_BYTES: Final = 6


def holder_name(owner: UserId) -> str:
    """SHA-256 of issuer and subject, each behind its length in four bytes, in hexadecimal."""
    return hashlib.sha256(length_prefixed(owner.iss, owner.sub)).hexdigest()


@frozen
class WrappedKey:
    """
    A data key as it is kept.

    :ivar version: of the data key, 1 to 2**32 - 1.
    :ivar wrapped: what `IKeyring.wrap` gave.
    """

    version: int
    wrapped: bytes

    def encode(self) -> bytes:
        """The file's bytes."""
        return _FORMAT + self.version.to_bytes(4, "big") + self.wrapped

    @classmethod
    def decode(cls, content: bytes) -> WrappedKey:
        """
        Read a file's bytes.

        :raises SealBroken: this is no such file.
        """
        if not content.startswith(_FORMAT) or len(content) <= _HEAD_BYTES:
            raise SealBroken
        return cls(int.from_bytes(content[len(_FORMAT) : _HEAD_BYTES], "big"), content[_HEAD_BYTES:])
