"""
The chain: each record carries the hash of the one before it, so that no record can be changed, moved or dropped alone.

A record is one line of printable ASCII. `body` is canonical JSON (members sorted by name, no spaces, every character
outside 0x20-0x7E as a `\\uXXXX` escape, no floats)::

    body = {"at":"2026-01-31T12:00:00.000000Z","event":{...},"node":"gate-1","prev":"<64 hex>","seq":1,"v":1}
    hash = SHA-256("coral-gate/audit/record/1" || 0x00 || prev (32 bytes) || body)
    line = body without its last "}" || ',"hash":"<64 hex>"}' || "\\n"

One more member, `behind_us`, is there only where the clock stood behind the chain. The first record's `prev` is 32 zero
bytes. `verify.py` reads the same format from this description and not from this code.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from attrs import field, frozen

from coral_gate.audit.fields import LARGEST_NUMBER

VERSION = 1
"""The format's version, in each record as `v`."""

DOMAIN = b"coral-gate/audit/record/1\x00"
"""What every hashed record begins with, so that its hash can be no other thing's hash."""

_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@frozen
class Head:
    """
    Where a chain ends: enough to go on with it, and to prove later that nothing of it was cut off.

    :ivar seq: the last record's number; 0 before the first.
    :ivar hash: the last record's hash, 64 lower-case hexadecimal digits.
    :ivar at: the last record's time, aware, UTC.
    """

    seq: int
    hash: str = field()
    at: datetime

    @hash.validator
    def _is_hash(self, _attribute: object, value: str) -> None:
        if not _HASH.match(value):
            raise ValueError("a record's hash is 64 lower-case hexadecimal digits")

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


GENESIS = Head(0, "0" * 64, _EPOCH)
"""Before the first record."""


def node_name(name: str) -> str:
    """
    Take a node's name.

    :raises ValueError: it is not 1 to 64 letters, digits, `.`, `_` and `-`, the first a letter or digit.
    """
    if not _NODE.match(name):
        raise ValueError("a node's name is 1 to 64 letters, digits, '.', '_' and '-', the first a letter or a digit")
    return name


def canonical(value: object) -> bytes:
    """
    The one way to write a value of strings, integers, None and dictionaries.

    :raises ValueError: a float in it is no number.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def seal(head: Head, event: bytes, node: str, now: datetime) -> tuple[bytes, Head]:
    """
    The next record's line, and the head after it.

    A record is never earlier than the one before it: where the clock stands behind the chain, the record takes the
    chain's time and says in `behind_us` by how much.

    :param event: the event in canonical JSON.
    :param now: aware, UTC.
    """
    at = max(now, head.at)
    behind = min((at - now) // _MICROSECOND, LARGEST_NUMBER)
    seq = head.seq + 1
    body = b'{"at":"%b",%b"event":%b,"node":"%b","prev":"%b","seq":%d,"v":%d}' % (
        timestamp(at).encode("ascii"),
        b'"behind_us":%d,' % behind if behind else b"",
        event,
        node.encode("ascii"),
        head.hash.encode("ascii"),
        seq,
        VERSION,
    )
    digest = hashlib.sha256(DOMAIN + bytes.fromhex(head.hash) + body).hexdigest()
    return b'%b,"hash":"%b"}\n' % (body[:-1], digest.encode("ascii")), Head(seq, digest, at)


def seal_all(head: Head, events: Iterable[tuple[datetime, bytes]], node: str) -> tuple[list[bytes], Head]:
    """The lines of several events, each with the time at which it was handed in, and the head after them."""
    lines = []
    for now, event in events:
        line, head = seal(head, event, node, now)
        lines.append(line)
    return lines, head


def timestamp(at: datetime) -> str:
    """A time as RFC 3339 in UTC with microseconds, always 27 characters."""
    return f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
