"""
The gate's own answers: a status, a sentence for a person, and a request id to ask about; never anything internal.
"""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from http import HTTPStatus

_STYLE = (
    ":root{color-scheme:light dark}body{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}"
    "h1{font-size:1.4rem;margin:0 0 .6rem}p{margin:.4rem 0}small{opacity:.65}"
)
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode("ascii")).digest()).decode("ascii")

_FIELDS = (
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    f"Content-Security-Policy: default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'\r\n"
)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""What is said to a client that waits before it sends its content (RFC 9110 §15.2.1)."""


def answer(
    status: int,
    sentence: str,
    request_id: str,
    *,
    accept: bytes | None,
    keep_alive: bool,
    bodyless: bool = False,
    fields: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """
    A whole response of the gate's own.

    :param sentence: plain text for a person.
    :param accept: the request's Accept field: a page where it names HTML, a problem in JSON (RFC 9457) where it names JSON,
        else text.
    :param bodyless: the request was HEAD: the fields are the same and the content is left out (RFC 9110 §9.3.2).
    :param fields: further fields, e.g. Allow or Retry-After.
    """
    phrase = HTTPStatus(status).phrase
    kind, body = _body(status, phrase, sentence, request_id, accept or b"")
    content = body.encode("utf-8")
    more = "".join(f"{name}: {value}\r\n" for name, value in fields)
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n{more}{_FIELDS}"
        f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n\r\n"
    )
    return head.encode("ascii") + (b"" if bodyless else content)


def _body(status: int, phrase: str, sentence: str, request_id: str, accept: bytes) -> tuple[str, str]:
    """Media type and content."""
    if b"text/html" in accept:
        return "text/html; charset=utf-8", _page(status, phrase, sentence, request_id)
    if b"json" in accept:
        problem = {"type": "about:blank", "title": phrase, "status": status, "detail": sentence, "request": request_id}
        return "application/problem+json", json.dumps(problem) + "\n"
    return "text/plain; charset=utf-8", f"{status} {phrase}\n{sentence}\nRequest {request_id}\n"


def _page(status: int, phrase: str, sentence: str, request_id: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{status} {escape(phrase)}</title><style>{_STYLE}</style>"
        f"<h1>{escape(phrase)}</h1><p>{escape(sentence)}</p><p><small>{status} &middot; request {escape(request_id)}</small></p></html>\n"
    )
