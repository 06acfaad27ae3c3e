"""
The query that a browser brings back from the issuer (RFC 6749 §4.1.2, RFC 9207 §2).
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

from coral_gate.identity.refusals import Refusal, refused

_MAX_QUERY_BYTES = 8192
_MAX_PARAMETERS = 24
_MAX_CODE = 4096
_MAX_OTHER = 1024
# RFC 3986 §3.4, and what browsers leave unescaped besides (URL Standard, query percent-encode set).
_QUERY = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]{}|\\^`]|%[0-9A-Fa-f]{2})*\Z")
_VISIBLE = re.compile(r"[\x20-\x7e]+\Z")


@frozen
class Callback:
    """
    The parameters that mean something to us; others are ignored, as RFC 6749 §4.1.2 asks.

    :ivar error: the issuer's error code; never shown to anyone, since anybody can write it.
    """

    state: str | None = field(repr=False)
    code: str | None = field(repr=False)
    iss: str | None
    error: str | None = field(repr=False)


def parse_callback(query: bytes) -> Callback:
    """
    Read a callback's query, without its `?`.

    :raises SignInRefused: `callback.malformed`: too long, not a query, or a name is there twice, ours or not.
    """
    named = _parameters(query)
    return Callback(
        state=_text(named, b"state", _MAX_OTHER),
        code=_text(named, b"code", _MAX_CODE),
        iss=_text(named, b"iss", _MAX_OTHER),
        error=_text(named, b"error", _MAX_OTHER),
    )


def _parameters(query: bytes) -> dict[bytes, bytes]:
    if len(query) > _MAX_QUERY_BYTES or not _QUERY.match(query):
        raise refused(Refusal.CALLBACK_MALFORMED)
    parts = [part for part in query.split(b"&") if part]
    named = dict(_pair(part) for part in parts)
    if len(parts) > _MAX_PARAMETERS or len(named) != len(parts):
        raise refused(Refusal.CALLBACK_MALFORMED)
    return named


def _pair(part: bytes) -> tuple[bytes, bytes]:
    name, _, value = part.partition(b"=")
    return _decoded(name), _decoded(value)


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _text(named: dict[bytes, bytes], name: bytes, limit: int) -> str | None:
    value = named.get(name)
    if value is None:
        return None
    text = value.decode("latin-1")
    if len(text) > limit or not _VISIBLE.match(text):
        raise refused(Refusal.CALLBACK_MALFORMED)
    return text
