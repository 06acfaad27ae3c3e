"""
The masking of WebSocket payloads (RFC 6455 §5.3), fast at every length.

Short ones are one exclusive-or of two long integers, which needs no set-up; long ones go to autobahn's compiled masker where it
is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

COMPILED_FROM_BYTES: Final = 1536
"""From this length on the compiled masker is faster, although each call makes one anew (measured)."""


class _Masker(Protocol):
    def process(self, data: bytes | memoryview) -> bytes:
        """Mask or unmask."""


def _compiled() -> Callable[[bytes, int], _Masker] | None:
    """Autobahn's, or None where it was not built for this machine."""
    try:
        from autobahn.nvx._xormasker import create_xor_masker

        create_xor_masker(bytes(4), COMPILED_FROM_BYTES)
    except (ImportError, OSError, AttributeError):
        return None
    return create_xor_masker


_COMPILED: Final = _compiled()


def unmasked(payload: bytes | memoryview, key: bytes, compiled: Callable[[bytes, int], _Masker] | None = _COMPILED) -> bytes:
    """
    Unmask a payload, or mask it: it is the same.

    :param key: four octets; for a part of a payload `rotated` to where it begins.
    :param compiled: autobahn's masker, or None to do without.
    """
    length = len(payload)
    if compiled is not None and length >= COMPILED_FROM_BYTES:
        return compiled(key, length).process(payload)
    keys = key * (length // 4) + key[: length % 4]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(keys, "little")).to_bytes(length, "little")


def rotated(key: bytes, octets: int) -> bytes:
    """The key for what follows that many octets."""
    turn = octets & 3
    return key[turn:] + key[:turn] if turn else key
