"""
What one input to the gate is, and what has to become of it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from attrs import frozen

REFUSALS = frozenset([*range(400, 500), 501, 505])
"""Statuses that refuse a request for what it is (RFC 9110 §15.5, §15.6.2, §15.6.6)."""


_CHANGING = frozenset({b"POST", b"PUT", b"PATCH", b"DELETE"})


class Verdict(enum.Enum):
    """What the gate must make of an input."""

    FORWARDED = "each of `seen` reaches the origin, in order, and nothing else does"
    REFUSED = "after `seen`, one refusal; then the connection is closed and nothing more reaches the origin"
    DENIED = "well-formed, and answered by the gate alone with a refusal; the connection may go on"
    CUT = "the head is good and the content is not: after `seen`, no request that the origin takes for complete"
    EITHER = "refused, or forwarded exactly as `seen` says: both are safe"


@frozen
class Seen:
    """
    One request as the origin has to see it.

    :ivar method: the method, as sent.
    :ivar target: the request target, byte for byte as the client sent it.
    :ivar body: the content, whatever its framing.
    :ivar fields: the end-to-end fields in order, names in lower case; those that the gate writes itself (Host, Origin,
        Accept-Encoding, and what frames the content) are left out.
    """

    method: bytes = b"GET"
    target: bytes = b"/"
    body: bytes = b""
    fields: tuple[tuple[bytes, bytes], ...] = ()


@frozen
class Case:
    """
    One input, named.

    :ivar name: `class/what`, unique in the corpus.
    :ivar payload: the bytes that the client sends.
    :ivar why: the rule it tests, with its source.
    :ivar seen: what the origin sees of it.
    :ivar closes: the gate must close after the last answer, though it refuses nothing.
    :ivar cuts: offsets at which the payload is sent in separate segments.
    :ivar hangs_up: the client closes its side after the payload, which has no end of its own.
    :ivar statuses: the refusals that are right here.
    """

    name: str
    payload: bytes
    verdict: Verdict
    why: str
    seen: tuple[Seen, ...] = ()
    closes: bool = False
    cuts: tuple[int, ...] = ()
    hangs_up: bool = False
    statuses: frozenset[int] = REFUSALS

    @property
    def requests(self) -> int:
        """How many requests the origin sees if it is forwarded."""
        return len(self.seen)

    @property
    def family(self) -> str:
        """The class of attack."""
        return self.name.partition("/")[0]


def request(
    host: bytes,
    *lines: bytes,
    method: bytes = b"GET",
    target: bytes = b"/",
    version: bytes = b"HTTP/1.1",
    body: bytes = b"",
) -> bytes:
    """
    One request with a good Host; `lines` are further field lines, put in as they are, without their line ends.

    One that changes something says that it comes from a page of the same origin, as a browser does (RFC 6454 §7).
    """
    origin = [b"Origin: https://" + host] if method in _CHANGING else []
    head = [b" ".join((method, target, version)), b"Host: " + host, *origin, *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def chunked(content: bytes, size: int = 1 << 16, extension: bytes = b"", trailers: Iterable[bytes] = ()) -> bytes:
    """`content` in chunks of `size` bytes, each with `extension`, and field lines after the last (RFC 9112 §7.1)."""
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    chunks = [b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts]
    return b"".join(chunks) + b"0\r\n" + b"".join(line + b"\r\n" for line in trailers) + b"\r\n"


def smuggled(host: bytes) -> bytes:
    """A whole request that nobody authorised."""
    return request(host, target=b"/SMUGGLED")


def readable(raw: bytes) -> str:
    """Bytes as a part of a case's name."""
    return raw.decode("latin-1").encode("unicode_escape").decode("ascii").replace("/", "\\x2f")
