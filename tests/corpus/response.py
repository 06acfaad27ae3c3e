"""
What one answer of a hostile sandbox is, and what may become of it.
"""

from __future__ import annotations

import enum

from attrs import field, frozen


class Outcome(enum.Enum):
    """What the client may see."""

    PASSED = "the answer, whole: the status and the content of the case"
    REFUSED = "502 or 504 of the gate's own, whole, and not one byte of the answer"
    CUT = "the status and a beginning of the content, and an end that no client takes for a whole answer"
    ENDLESS = "the content for as long as the client wants; when the client leaves, the sandbox is left too"


class Ends(enum.Enum):
    """What the sandbox does after its last byte."""

    STAY = "keeps the connection open"
    CLOSE = "closes"
    RESET = "resets the connection"


@frozen
class Response:
    """
    One answer, named.

    :ivar name: `class/what`, unique in the corpus.
    :ivar pieces: what the sandbox sends, in separate segments.
    :ivar outcomes: what the client may see.
    :ivar why: the rule it tests, with its source.
    :ivar method: what was asked.
    :ivar status: of the answer, where it may pass.
    :ivar body: the content of the answer, where it may pass; what is cut is a beginning of it.
    :ivar endless: sent over and over after the pieces, until somebody closes.
    :ivar stray: more comes than belongs to the answer, so that the gate may not use its connection to the sandbox again.
    :ivar absent: field names, in lower case, that do not reach the client.
    """

    name: str
    pieces: tuple[bytes, ...]
    outcomes: frozenset[Outcome]
    why: str
    method: bytes = b"GET"
    status: int = 200
    body: bytes = b""
    ends: Ends = Ends.STAY
    endless: bytes = b""
    stray: bool = False
    absent: frozenset[bytes] = field(default=frozenset(), repr=False)

    @property
    def family(self) -> str:
        """The class of attack."""
        return self.name.partition("/")[0]


PASSED = frozenset({Outcome.PASSED})
REFUSED = frozenset({Outcome.REFUSED})
BROKEN = frozenset({Outcome.REFUSED, Outcome.CUT})
"""The head is good and what follows is not: it is refused if the gate still can, else cut."""
ENDLESS = frozenset({Outcome.ENDLESS})


def response(*lines: bytes, status: bytes = b"HTTP/1.1 200 OK", body: bytes = b"") -> bytes:
    """A status line, field lines as they are, and what follows the head."""
    return b"\r\n".join([status, *lines]) + b"\r\n\r\n" + body


STRAY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nSTRAY"
"""A whole answer that nobody asked for."""
