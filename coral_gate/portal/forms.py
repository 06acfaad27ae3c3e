"""
What a form or a query says, read strictly: what could be read in two ways is not read at all.
"""

from __future__ import annotations

from urllib.parse import parse_qs, parse_qsl

from twisted.web.server import Request

from coral_gate.errors import ClientFault

FORM_BYTES = 16 * 1024
"""The most of a request's content that is looked at; no route takes more."""

_FORM_TYPE = b"application/x-www-form-urlencoded"
_MOST_FIELDS = 16


def content_of(request: Request) -> bytes:
    """A request's content."""
    return request.content.read(FORM_BYTES) if request.content is not None else b""


def read_form(request: Request) -> dict[str, str]:
    """
    The fields of a form (WHATWG URL §5.1), each by its name.

    :raises ClientFault: it is no such form, or has a field twice.
    """
    kind = (request.getHeader(b"content-type") or b"").partition(b";")[0].strip().lower()
    encoded = content_of(request)
    if not encoded:
        return {}
    if kind != _FORM_TYPE:
        raise ClientFault("form-type")
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise ClientFault("form-malformed") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ClientFault("form-field-repeated")
    return fields


def only_value(query: bytes, name: str) -> str:
    """The one value of a name in a query; empty where there is none, or more than one, or it is no query."""
    try:
        values = parse_qs(query.decode("ascii"), errors="strict", max_num_fields=_MOST_FIELDS).get(name, [])
    except ValueError:
        return ""
    return values[0] if len(values) == 1 else ""
