"""
Addresses without what must not be in one: a link may neither hand OpenClaw's UI a secret nor name it another gateway.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

TAKEN: Final = frozenset({b"token", b"password", b"gatewayurl", b"bootstraptoken", b"bootstrapprofile"})
"""Names in lower case; `session` stays: it names a conversation."""


def clean_address(target: bytes) -> bytes | None:
    """
    The same address without those parts of its query; None where there are none, and it can stay as it is.

    :param target: checked by `http1.target`.
    """
    path, _, query = target.partition(b"?")
    parts = query.split(b"&")
    kept = [part for part in parts if _name(part) not in TAKEN]
    if len(kept) == len(parts):
        return None
    rest = b"&".join(kept)
    return path + b"?" + rest if rest else path


def _name(part: bytes) -> bytes:
    return unquote_to_bytes(part.partition(b"=")[0].replace(b"+", b" ")).strip().lower()
