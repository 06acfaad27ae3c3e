"""
Masking keys for WebSocket frames toward sandboxes (RFC 6455 §5.3).
"""

from __future__ import annotations

import secrets
from typing import Final

_POOL_BYTES: Final = 4096


class _Masks:
    """Keys from the operating system's entropy, many with one call."""

    __slots__ = ("_left", "_pool")

    def __init__(self) -> None:
        self._pool = b""
        self._left = 0

    def __call__(self) -> bytes:
        if not self._left:
            self._pool = secrets.token_bytes(_POOL_BYTES)
            self._left = _POOL_BYTES
        self._left -= 4
        return self._pool[self._left : self._left + 4]


new_mask: Final = _Masks()
"""Gives four unpredictable octets, other ones at each call."""
