"""
Message heads, read strictly: a request's and a response's.

A head is found by `find_head` and read by `read_request` or `read_response`. Both are pure; the same bytes give the same
result however they were split on the way here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from attrs import frozen

from coral_gate.http1 import fields
from coral_gate.http1.rules import RefusedRequest, RefusedResponse, Rule
from coral_gate.http1.target import check_target

METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
"""The methods that the gate knows (RFC 9110 §9.3, RFC 5789 §2); any other is 501."""

_KEPT = bytes(b for b in range(256) if (b >= 0x20 and b != 0x7F) or b in b"\t\r\n")
_ILLEGAL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n")
_HOST = re.compile(rb"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")
_LENGTH = re.compile(rb"[0-9]{1,18}\Z")
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]\Z")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?\Z")
_USUAL_CONNECTION = frozenset({b"keep-alive", b"Keep-Alive", b"close", b"Close"})


@frozen
class HeadLimits:
    """
    How large a head may be.

    :ivar head_bytes: the whole head with its last CRLF CRLF.
    :ivar target_bytes: a request's target alone.
    :ivar fields: how many field lines.
    """

    head_bytes: int = 32 * 1024
    target_bytes: int = 8 * 1024
    fields: int = 100


class RequestHead:
    """
    One request's head, every rule kept.

    Not an attrs class: one is made for every request on the hot path.

    :ivar method: one of `METHODS`.
    :ivar target: origin form, exactly the client's bytes, e.g. `/a%20b?q`.
    :ivar path: the target before the first `?`.
    :ivar minor: 1 for HTTP/1.1, 0 for HTTP/1.0.
    :ivar host: the Host field in lower case, e.g. `gate.localhost:8443`.
    :ivar read: lower-case name to value, of the fields in `fields.READ` and `READ_AND_PASSED`.
    :ivar passing: the ordinary field lines as they came, in order, without CRLF.
    :ivar length: octets of content, or -1 where there is no Content-Length.
    :ivar chunked: the content is in chunks.
    :ivar keep_alive: the client will take another response on this connection.
    """

    __slots__ = ("chunked", "host", "keep_alive", "length", "method", "minor", "passing", "path", "read", "target")

    method: bytes
    target: bytes
    path: bytes
    minor: int
    host: bytes
    read: dict[bytes, bytes]
    passing: list[bytes]
    length: int
    chunked: bool
    keep_alive: bool

    @property
    def has_content(self) -> bool:
        """Whether content follows the head (RFC 9112 §6.3)."""
        return self.chunked or self.length > 0

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for 100 before it sends its content (RFC 9110 §10.1.1)."""
        return b"expect" in self.read and self.minor == 1 and self.has_content

    def value(self, lower: bytes) -> bytes | None:
        """The first value of an ordinary field, by its lower-case name, or None."""
        return _first(self.passing, lower)


class ResponseHead:
    """
    One response's head, every rule kept. Its reason phrase is not kept: it is free text of the sandbox.

    :ivar status: 100 to 599.
    :ivar minor: 1 for HTTP/1.1, 0 for HTTP/1.0.
    :ivar read: lower-case name to value, of the fields in `fields.RESPONSE_READ` but Set-Cookie.
    :ivar cookies: the Set-Cookie values, in order.
    :ivar passing: the ordinary field lines as they came, in order, without CRLF.
    :ivar length: octets of content that Content-Length says, or -1.
    :ivar chunked: the content is in chunks.
    :ivar keep_alive: the upstream connection may be used again after the content.
    """

    __slots__ = ("chunked", "cookies", "keep_alive", "length", "minor", "passing", "read", "status")

    status: int
    minor: int
    read: dict[bytes, bytes]
    cookies: list[bytes]
    passing: list[bytes]
    length: int
    chunked: bool
    keep_alive: bool

    def value(self, lower: bytes) -> bytes | None:
        """The first value of an ordinary field, by its lower-case name, or None."""
        return _first(self.passing, lower)


def find_head(buffer: bytes | bytearray, limits: HeadLimits, fault: type[RefusedRequest | RefusedResponse], start: int = 0) -> int:
    """
    Where the head at the beginning of `buffer` ends.

    :param start: how many bytes of `buffer` an earlier call has already seen.
    :return: the index of its final CRLF CRLF, or -1 while it is not there.
    :raises fault: no head can come of these bytes: an illegal byte, or too many.
    """
    end = buffer.find(b"\r\n\r\n", max(0, start - 3))
    if 0 <= end <= limits.head_bytes - 4:
        return end
    seen = bytes(buffer[max(0, start - 1) : limits.head_bytes])
    checked = 1 if start and seen[:1] != b"\r" else 0  # a CR at the end was left for the byte that follows it
    found = _ILLEGAL.search(seen[:-1] if seen.endswith(b"\r") else seen, checked)
    if found:
        raise fault(_illegal(found.group()))
    if end >= 0 or len(buffer) >= limits.head_bytes:
        raise fault(Rule.HEAD_TOO_LARGE)
    return -1


def read_request(block: bytes, limits: HeadLimits) -> RequestHead:
    """
    Read a request's head (RFC 9112 §3, §5, §6).

    :param block: the head without its final CRLF CRLF.
    :raises RefusedRequest: a rule is broken; nothing else escapes.
    """
    lines = _lines(block, limits, RefusedRequest)
    head = RequestHead()
    _request_line(head, lines[0], limits)
    head.read, head.passing, _ = _sort_fields(lines, fields.REQUEST_NAMES, fields.kind_of, RefusedRequest)
    _host(head)
    head.length, head.chunked = _framing(head.read, head.minor, RefusedRequest)
    head.keep_alive = head.minor == 1
    connection = head.read.get(b"connection")
    if connection is not None and connection not in _USUAL_CONNECTION:
        head.passing = _without_options(head.passing, _options(connection, RefusedRequest))
    if connection is not None and _closes(connection):
        head.keep_alive = False
    expect = head.read.get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        raise RefusedRequest(Rule.EXPECTATION)
    return head


def read_response(block: bytes, limits: HeadLimits) -> ResponseHead:
    """
    Read a response's head (RFC 9112 §4, §5, §6).

    :param block: the head without its final CRLF CRLF.
    :raises RefusedResponse: a rule is broken; nothing else escapes.
    """
    lines = _lines(block, limits, RefusedResponse)
    head = ResponseHead()
    found = _STATUS_LINE.match(lines[0])
    if found is None:
        raise RefusedResponse(Rule.STATUS_LINE)
    head.minor, head.status = int(found[1]), int(found[2])
    head.read, head.passing, head.cookies = _sort_fields(lines, fields.RESPONSE_NAMES, fields.response_kind_of, RefusedResponse)
    head.length, head.chunked = _framing(head.read, head.minor, RefusedResponse)
    head.keep_alive = head.minor == 1
    connection = head.read.get(b"connection")
    if connection is not None and connection not in _USUAL_CONNECTION:
        head.passing = _without_options(head.passing, _options(connection, RefusedResponse))
    if connection is not None and _closes(connection):
        head.keep_alive = False
    return head


def check_trailer(line: bytes, fault: type[RefusedRequest | RefusedResponse]) -> None:
    """
    Check one trailer field; trailers are not kept (RFC 9112 §7.1.2 lets a recipient drop them).

    :param line: the field line without CRLF.
    :raises fault: it is malformed, or names a field that frames, routes or identifies.
    """
    name, colon, _ = line.partition(b":")
    if not colon or not fields.is_token(name) or name.lower() in fields.FRAMING or _ILLEGAL.search(line):
        raise fault(Rule.TRAILER)


def _illegal(found: bytes) -> Rule:
    return {b"\r": Rule.BARE_CR, b"\n": Rule.BARE_LF}.get(found, Rule.CONTROL_BYTE)


def _lines(block: bytes, limits: HeadLimits, fault: type[RefusedRequest | RefusedResponse]) -> list[bytes]:
    lines = block.split(b"\r\n")
    ends = len(lines) - 1
    if block.translate(None, _KEPT) or block.count(b"\n") != ends or block.count(b"\r") != ends:
        found = _ILLEGAL.search(block + b"\r\n")
        raise fault(_illegal(found.group()) if found else Rule.CONTROL_BYTE)
    if ends > limits.fields:
        raise fault(Rule.TOO_MANY_FIELDS)
    return lines


def _request_line(head: RequestHead, line: bytes, limits: HeadLimits) -> None:
    parts = line.split(b" ")
    if len(parts) != 3 or not parts[0]:
        raise RefusedRequest(Rule.REQUEST_LINE)
    method, target, version = parts
    if version == b"HTTP/1.1":
        head.minor = 1
    elif version == b"HTTP/1.0":
        head.minor = 0
    else:
        raise RefusedRequest(Rule.VERSION if _VERSION.match(version) else Rule.VERSION_SYNTAX)
    if method not in METHODS:
        raise RefusedRequest(Rule.METHOD if fields.is_token(method) else Rule.REQUEST_LINE)
    if len(target) > limits.target_bytes:
        raise RefusedRequest(Rule.TARGET_TOO_LONG)
    head.method, head.target = method, target
    head.path = check_target(target)


def _sort_fields(
    lines: list[bytes],
    names: Mapping[bytes, tuple[bytes, int]],
    kind_of: Callable[[bytes], int],
    fault: type[RefusedRequest | RefusedResponse],
) -> tuple[dict[bytes, bytes], list[bytes], list[bytes]]:
    """Split field lines into values that the gate reads, lines that pass, and Set-Cookie values."""
    read: dict[bytes, bytes] = {}
    passing: list[bytes] = []
    cookies: list[bytes] = []
    for index in range(1, len(lines)):
        line = lines[index]
        name, colon, value = line.partition(b":")
        entry = names.get(name)
        if entry is None or not colon:
            entry = _unusual(name, colon, line, kind_of, fault)
        lower, kind = entry
        if kind == fields.ORDINARY:
            passing.append(line)
        elif kind >= fields.CAPTURE:
            _capture(read, cookies, lower, kind, value.strip(b" \t"), fault)
            if kind == fields.CAPTURE_PASS:
                passing.append(line)
    return read, passing, cookies


def _capture(
    read: dict[bytes, bytes], cookies: list[bytes], lower: bytes, kind: int, value: bytes, fault: type[RefusedRequest | RefusedResponse]
) -> None:
    if lower == b"set-cookie":
        cookies.append(value)
    elif lower not in read:
        read[lower] = value
    elif kind == fields.CAPTURE_LIST:
        read[lower] += (b"; " if lower == b"cookie" else b", ") + value
    else:
        raise fault(_REPEATED.get(lower, Rule.FIELD_REPEATED))


_REPEATED = {b"host": Rule.HOST_COUNT, b"content-length": Rule.LENGTH_SYNTAX, b"transfer-encoding": Rule.TRANSFER_CODING}


def _unusual(
    name: bytes, colon: bytes, line: bytes, kind_of: Callable[[bytes], int], fault: type[RefusedRequest | RefusedResponse]
) -> tuple[bytes, int]:
    """A name that is not spelled as usual: check it, and look it up by its lower-case form."""
    if line[:1] in (b" ", b"\t"):
        raise fault(Rule.OBS_FOLD)
    if not colon or not fields.is_token(name):
        raise fault(Rule.FIELD_LINE)
    lower = name.lower()
    if fields.looks_special(lower):
        raise fault(Rule.FIELD_UNDERSCORE)
    return lower, kind_of(lower)


def _host(head: RequestHead) -> None:
    host = head.read.get(b"host")
    if host is None:
        raise RefusedRequest(Rule.HOST_COUNT)
    if not _HOST.match(host):
        raise RefusedRequest(Rule.HOST_SYNTAX)
    head.host = host.lower()


def _framing(read: dict[bytes, bytes], minor: int, fault: type[RefusedRequest | RefusedResponse]) -> tuple[int, bool]:
    """Content-Length (or -1) and whether the content is chunked; never both (RFC 9112 §6.1)."""
    coding, length = read.get(b"transfer-encoding"), read.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise fault(Rule.LENGTH_AND_CODING)
        if coding.lower() != b"chunked" or minor != 1:
            raise fault(Rule.TRANSFER_CODING)
        return -1, True
    if length is None:
        return -1, False
    if not _LENGTH.match(length):
        raise fault(Rule.LENGTH_SYNTAX)
    return int(length), False


def _options(connection: bytes, fault: type[RefusedRequest | RefusedResponse]) -> frozenset[bytes]:
    """The lower-case options of Connection; empty list elements are allowed (RFC 9110 §5.6.1)."""
    options = frozenset(option for part in connection.lower().split(b",") if (option := part.strip(b" \t")))
    for option in options:
        if not fields.is_token(option) or option in fields.FRAMING - {b"upgrade", b"te", b"trailer"}:
            raise fault(Rule.CONNECTION_OPTION)
    return options


def _closes(connection: bytes) -> bool:
    return b"close" in connection.lower() and b"close" in [part.strip(b" \t") for part in connection.lower().split(b",")]


def _without_options(passing: list[bytes], options: frozenset[bytes]) -> list[bytes]:
    return [line for line in passing if line.partition(b":")[0].lower() not in options]


def _first(passing: list[bytes], lower: bytes) -> bytes | None:
    for line in passing:
        name, _, value = line.partition(b":")
        if name.lower() == lower:
            return value.strip(b" \t")
    return None
