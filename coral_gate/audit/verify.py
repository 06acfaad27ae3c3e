"""
Verifies an audit folder: `python -m coral_gate.audit.verify DIR`.

This one file imports the standard library alone and nothing of the daemon. It can be copied to another machine, read in
a quarter of an hour, and trusted more than the daemon whose log it judges. Exit codes: 0 the chain is whole, 1 it was
tampered with, 2 it could not be read.
"""

# ruff: noqa: T201 - it is a command

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

MAX_LINE_BYTES = 64 * 1024
"""No record is longer."""

GENESIS_HASH = "0" * 64
"""What the first record has for `prev`."""

SEGMENT_NAME = re.compile(r"([0-9]{20})\.jsonl\Z")
"""A segment is named after its first record's number."""

_DOMAIN = b"coral-gate/audit/record/1\x00"
_HASH_TAIL = re.compile(rb',"hash":"([0-9a-f]{64})"\}\n\Z')
_HASH_TAIL_BYTES = len(b',"hash":""}\n') + 64
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z")
_LARGEST = 2**53 - 1
_MEMBERS = {"at", "event", "node", "prev", "seq", "v"}
_PAUSE_S = 0.05


class Bad(Exception):
    """
    Something is not as the daemon wrote it.

    :ivar reason: a machine word.
    :ivar sentence: for a person; holds nothing of the file's own bytes.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(f"{sentence} [{reason}]")
        self.reason = reason
        self.sentence = sentence


@dataclass(frozen=True)
class Record:
    """A line that is a record in itself; whether it stands in its place is for `Walk` to say."""

    seq: int
    hash: str
    prev: str
    at: str
    node: str
    event: dict[str, object]


def read_record(line: bytes) -> Record:
    """
    Read one line, its line end included.

    :raises Bad: it is no record that the daemon can have written.
    """
    if not line.endswith(b"\n") and len(line) <= MAX_LINE_BYTES:
        raise Bad("unfinished", "The record is unfinished; a crash leaves this at the end, and the next start cuts it off.")
    tail = _HASH_TAIL.search(line, max(0, len(line) - _HASH_TAIL_BYTES))
    if tail is None or len(line) > MAX_LINE_BYTES:
        raise Bad("format", "The line is no record.")
    body = line[: tail.start()] + b"}"
    members = _members(body)
    said = tail.group(1).decode("ascii")
    if hashlib.sha256(_DOMAIN + bytes.fromhex(members["prev"]) + body).hexdigest() != said:
        raise Bad("hash", "The record was changed: its hash is not the hash of its content.")
    return Record(members["seq"], said, members["prev"], members["at"], members["node"], members["event"])


def _members(body: bytes) -> dict[str, Any]:  # JSON's values; `_is_shaped` has looked at each
    try:
        members = json.loads(body, parse_float=_no_number, parse_constant=_no_number)
        same = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii") == body
    except (ValueError, RecursionError):
        same = False
    if not same or not isinstance(members, dict) or not _is_shaped(members):
        raise Bad("format", "The line is no record.")
    return members


def _no_number(text: str) -> NoReturn:
    raise ValueError("a record holds whole numbers only")


def _is_shaped(members: dict[str, object]) -> bool:
    return (
        members.keys() - {"behind_us"} == _MEMBERS
        and members["v"] == 1
        and type(members["v"]) is int
        and _is_number(members["seq"])
        and _is_number(members.get("behind_us", 1))
        and _is_match(_HASH, members["prev"])
        and _is_match(_NODE, members["node"])
        and _is_time(members["at"])
        and isinstance(members["event"], dict)
        and isinstance(members["event"].get("type"), str)
    )


def _is_number(value: object) -> bool:
    return type(value) is int and 0 < value <= _LARGEST


def _is_match(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.match(value) is not None


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not _AT.match(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


# -- a chain -----------------------------------------------------------------------------------------------------------


@dataclass
class Walk:
    """
    Goes along a chain record by record.

    :ivar seq: the last record's number; the next must be one more.
    :ivar hash: the last record's hash.
    :ivar at: the last record's time.
    :ivar node: whose chain it is; None takes the first record's.
    """

    seq: int = 0
    hash: str = GENESIS_HASH
    at: str = ""
    node: str | None = None

    def take(self, line: bytes) -> Record:
        """
        The next record, if this line is it.

        :raises Bad: it is not; the record after `seq` is then the first that is not as it was written.
        """
        record = read_record(line)
        if record.node != (self.node or record.node):
            raise Bad("node", "The record is from another node's chain.")
        if record.seq > self.seq + 1:
            raise Bad("missing", "The record is missing; a later one stands in its place.")
        if record.seq < self.seq + 1:
            raise Bad("order", "The record is not in its place; an earlier one stands there.")
        if record.prev != self.hash:
            raise Bad("link", "The record does not follow the one before it: one of the two was replaced.")
        if record.at < self.at:
            raise Bad("time", "The record is earlier than the one before it.")
        self.seq, self.hash, self.at, self.node = record.seq, record.hash, record.at, record.node
        return record


def segments(folder: Path) -> list[Path]:
    """The segments of a folder, oldest first."""
    return sorted(path for path in folder.iterdir() if SEGMENT_NAME.match(path.name))


def lines(path: Path, patience_s: float = 0.0, offset_bytes: int = 0) -> Iterator[bytes]:
    """
    The lines of a segment, each with its line end if it has one; what is too long for a record comes in pieces.

    :param patience_s: how long to wait for the rest of a line that a daemon may be writing.
    """
    with path.open("rb") as file:
        file.seek(offset_bytes)
        while line := file.readline(MAX_LINE_BYTES + 1):
            waited_s = 0.0
            while not line.endswith(b"\n") and len(line) <= MAX_LINE_BYTES and waited_s < patience_s:
                time.sleep(_PAUSE_S)
                waited_s += _PAUSE_S
                line += file.readline(MAX_LINE_BYTES + 1 - len(line))
            yield line


# -- a folder ----------------------------------------------------------------------------------------------------------


def head(text: str) -> tuple[int, str]:
    """
    Read `SEQ:HASH`: a record's number and hash that were kept elsewhere.

    :raises ValueError: it is something else.
    """
    found = re.fullmatch(r"([0-9]{1,16}):([0-9a-f]{64})", text)
    if not found:
        raise ValueError("a head is SEQ:HASH, a number and 64 hexadecimal digits")
    return int(found[1]), found[2]


@dataclass(frozen=True)
class Report:
    """
    What was found.

    :ivar first_bad: the number of the first record that is not as it was written; None if all are.
    :ivar reason: a machine word for what is wrong with it.
    :ivar sentence: the same for a person.
    :ivar records: how many records follow each other, from the first on.
    :ivar head: `SEQ:HASH` of the last of those; keep it elsewhere, and give it as `--head` the next time.
    :ivar torn: how many files hold unfinished lines that a start-up cut off.
    """

    first_bad: int | None
    reason: str
    sentence: str
    node: str | None
    records: int
    segments: int
    first_at: str
    last_at: str
    head: str
    torn: int


class Folder:
    """
    Verifies one folder.

    :param heads: what is known of the chain from elsewhere, by number; nothing at or before one can be changed unseen.
    :param node: whose chain it must be; None takes the first record's word for it.
    :param patience_s: how long to wait for the rest of a line that a daemon may be writing.
    :raises OSError: it cannot be read.
    """

    def __init__(self, folder: Path, heads: Mapping[int, str] | None = None, node: str | None = None, patience_s: float = 0.0) -> None:
        self._segments = segments(folder)
        self._torn = sum(path.name.endswith(".torn") for path in folder.iterdir())
        self._heads = heads or {}
        self._patience_s = patience_s
        self._walk = Walk(node=node)
        self._records = 0
        self._first_at = ""

    def verify(self) -> Report:
        """
        Go along the whole chain, up to the first record that is not as it was written.

        :raises OSError: a file cannot be read.
        """
        try:
            self._begin()
            for line in self._lines():
                self._step(line)
            self._end()
        except Bad as bad:
            return self._report(self._blamed(bad), bad)
        return self._report(None, None)

    def _begin(self) -> None:
        """Begin after what was moved elsewhere, if there is a head that says so."""
        if not self._segments or _first_of(self._segments[0]) == 1:
            return
        before = _first_of(self._segments[0]) - 1
        if before not in self._heads:
            raise Bad("missing", "The record is missing; give the head of what was moved elsewhere as --head.")
        self._walk.seq, self._walk.hash = before, self._heads[before]

    def _lines(self) -> Iterator[bytes]:
        for path in self._segments:
            if _first_of(path) != self._walk.seq + 1:
                raise Bad("missing", "The record is missing; a segment does not begin where the one before it ends.")
            yield from lines(path, self._patience_s)

    def _step(self, line: bytes) -> None:
        at = self._walk.take(line).at
        self._first_at = self._first_at or at
        self._records += 1
        if self._heads.get(self._walk.seq, self._walk.hash) != self._walk.hash:
            raise Bad("head", "The chain is not the one that the head was taken of: this record or any before it was rewritten.")

    def _end(self) -> None:
        if any(seq > self._walk.seq for seq in self._heads):
            raise Bad("missing", "The record is missing; the chain ends before a head that was taken of it.")

    def _blamed(self, bad: Bad) -> int:
        """
        Which record is the first bad one.

        Where two whole records do not fit, a head tells which was replaced: if what begins with the later one leads to
        it, then the earlier. Without a head the later is named.
        """
        if bad.reason == "head":
            return self._walk.seq
        suspect = self._walk.seq + 1
        if bad.reason in ("link", "node") and self._leads_to_a_head(suspect):
            return suspect - 1
        return suspect

    def _leads_to_a_head(self, first: int) -> bool:
        every = (line for path in self._segments for line in lines(path))
        walk = Walk(seq=first - 1)
        try:
            for line in itertools.dropwhile(lambda line: read_record(line).seq != first, every):
                walk.hash = read_record(line).prev if walk.seq < first else walk.hash
                walk.take(line)
                if walk.seq in self._heads:
                    return self._heads[walk.seq] == walk.hash
        except Bad:
            pass
        return False

    def _report(self, first_bad: int | None, bad: Bad | None) -> Report:
        return Report(
            first_bad=first_bad,
            reason=bad.reason if bad else "",
            sentence=bad.sentence if bad else "",
            node=self._walk.node,
            records=self._records,
            segments=len(self._segments),
            first_at=self._first_at,
            last_at=self._walk.at,
            head=f"{self._walk.seq}:{self._walk.hash}",
            torn=self._torn,
        )


def _first_of(path: Path) -> int:
    return int(path.name[:20])


# -- the command -------------------------------------------------------------------------------------------------------


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `main` takes besides the folder."""
    parser.add_argument("--head", type=head, action="append", default=[], metavar="SEQ:HASH",
                        help="a record's number and hash, kept elsewhere; may be given several times")  # fmt: skip
    parser.add_argument("--node", help="the node whose chain it must be")
    parser.add_argument("--json", action="store_true", help="print JSON for a program to read")


def verify(folder: Path, args: argparse.Namespace) -> int:
    """Verify a folder, print what was found, and give the exit code."""
    try:
        report = Folder(folder, dict(args.head), args.node, patience_s=1.0).verify()
    except OSError as error:
        print(f"{folder}: {error.strerror}", file=sys.stderr)
        return 2
    if not report.segments and report.first_bad is None:
        print(f"{folder}: there is no audit log in this folder", file=sys.stderr)
        return 2
    print(json.dumps({"ok": report.first_bad is None, **asdict(report)}) if args.json else in_words(report))
    return 0 if report.first_bad is None else 1


def in_words(report: Report) -> str:
    """A report for a person."""
    if report.first_bad is not None:
        return f"NOT WHOLE: record {report.first_bad}: {report.sentence} [{report.reason}]"
    torn = f"; {report.torn} unfinished lines were set aside" if report.torn else ""
    return (
        f"whole: {report.records} records of {report.node} in {report.segments} segments, "
        f"{report.first_at} to {report.last_at}{torn}\nhead: {report.head}"
    )


def main(words: Sequence[str] | None = None) -> int:
    """The command; gives its exit code."""
    parser = argparse.ArgumentParser(prog="coral_gate.audit.verify", description="Verify an audit folder.")
    parser.add_argument("folder", type=Path)
    arguments(parser)
    args = parser.parse_args(words)
    return verify(args.folder, args)


if __name__ == "__main__":
    sys.exit(main())
