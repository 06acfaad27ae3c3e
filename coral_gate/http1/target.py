"""
Request targets: origin form only, and only paths that every server reads alike.
"""

from __future__ import annotations

import re

from coral_gate.http1.rules import RefusedRequest, Rule

_PLAIN_PATH = re.compile(rb"/[A-Za-z0-9\-._~!$&'()*+,;=:@/\[\]|]*\Z")
_ESCAPED_PATH = re.compile(rb"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/\[\]|]|%[0-9A-Fa-f]{2})*\Z")
_QUERY = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]{}|\\^`]|%[0-9A-Fa-f]{2})*\Z")
_FORBIDDEN_ESCAPE = re.compile(rb"%(?:2[Ff]|5[Cc]|[01][0-9A-Fa-f]|7[Ff]|25(?:2[EeFf]|5[Cc]|[01][0-9A-Fa-f]))")
_DOT = re.compile(rb"%2[Ee]")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def check_target(target: bytes) -> bytes:
    """
    Check a request's target and give its path (RFC 9112 §3.2.1; RFC 3986 §3.3).

    The characters are those that browsers send (WHATWG URL leaves some unescaped that RFC 3986 would escape, as `[` and `|`).

    :return: the bytes before the first `?`, unchanged.
    :raises RefusedRequest: it is not in origin form, holds other bytes, or servers read its path in different ways.
    """
    if target[:1] != b"/":
        raise RefusedRequest(Rule.TARGET_FORM)
    path, question, query = target.partition(b"?")
    if question and not _QUERY.match(query):
        raise RefusedRequest(Rule.TARGET_BYTE)
    if not _PLAIN_PATH.match(path):
        _check_escapes(path)
    elif b"//" in path or b"/." in path:
        _check_segments(path)
    return path


def _check_escapes(path: bytes) -> None:
    if not _ESCAPED_PATH.match(path):
        raise RefusedRequest(Rule.TARGET_BYTE)
    if _FORBIDDEN_ESCAPE.search(path):
        raise RefusedRequest(Rule.PATH_ESCAPE)
    try:
        _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), path).decode("utf-8")
    except UnicodeDecodeError as e:
        raise RefusedRequest(Rule.PATH_ESCAPE) from e
    _check_segments(_DOT.sub(b".", path))


def _check_segments(path: bytes) -> None:
    segments = path.split(b"/")[1:]
    if b"" in segments[:-1] or any(segment.partition(b";")[0] in (b".", b"..") for segment in segments):
        raise RefusedRequest(Rule.PATH_SEGMENT)
