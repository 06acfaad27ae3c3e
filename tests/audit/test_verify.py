"""
The verifier finds what was done to a log, and where.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit import verify
from coral_gate.audit.chain import GENESIS, Head, canonical, seal, seal_all
from coral_gate.audit.event import Event, as_json
from coral_gate.audit.recovery import segment_name
from coral_gate.audit.verify import Bad, Folder, Report, read_record
from tests import LONG
from tests.audit.samples import INJECTIONS, any_event, opened

_NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
_LENGTH = 30
_TAMPERINGS = 50_000 if LONG else 1000

Lines = list[bytes]


def chain(length: int = _LENGTH, node: str = "gate-1", salt: str = "") -> Lines:
    """The lines of a chain."""
    events = [(_NOON + timedelta(seconds=number), canonical(as_json(opened(f"s{number}{salt}")))) for number in range(length)]
    return seal_all(GENESIS, events, node)[0]


def head_of(line: bytes) -> tuple[int, str]:
    record = read_record(line)
    return record.seq, record.hash


def sealed_again(line: bytes, **changes: object) -> bytes:
    """A record with other members, and a hash that fits."""
    record = read_record(line)
    event = changes.get("event", record.event)
    before = Head(int(str(changes.get("seq", record.seq))) - 1, str(changes.get("prev", record.prev)), GENESIS.at)
    at = changes.get("at", datetime.fromisoformat(record.at))
    assert isinstance(at, datetime)
    return seal(before, canonical(event), str(changes.get("node", record.node)), at)[0]


class FolderCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def lay(self, lines: Lines, segment_lengths: tuple[int, ...] = ()) -> None:
        """Write lines as the segments of a folder; names are those that an honest daemon would have given."""
        for path in self.folder.iterdir():
            path.unlink()
        first = 1
        for length in (*segment_lengths, len(lines)):
            part, lines = lines[:length], lines[length:]
            (self.folder / segment_name(first)).write_bytes(b"".join(part))
            first += length
            if not lines:
                break

    def report(self, *heads: tuple[int, str], node: str | None = None) -> Report:
        return Folder(self.folder, dict(heads), node).verify()


class WholeTests(FolderCase):
    def test_whole(self) -> None:
        """A chain as it was written is whole, in one segment or several."""
        lines = chain()
        for lengths in ((), (10,), (1, 1, 27), (29,)):
            self.lay(lines, lengths)
            report = self.report(head_of(lines[-1]), head_of(lines[4]), node="gate-1")
            self.assertIsNone(report.first_bad, report)
            self.assertEqual((report.records, report.segments), (_LENGTH, len(lengths) + 1))
            self.assertEqual(report.head, "{}:{}".format(*head_of(lines[-1])))
            self.assertEqual((report.first_at, report.last_at), ("2026-01-31T12:00:00.000000Z", "2026-01-31T12:00:29.000000Z"))

    def test_moved_elsewhere(self) -> None:
        """Old segments can be moved elsewhere; what is left is whole if their head is given, and only then."""
        lines = chain()
        self.lay(lines, (10,))
        (self.folder / segment_name(1)).unlink()
        self.assertEqual(self.report().first_bad, 1)
        self.assertIsNone(self.report(head_of(lines[9])).first_bad)
        self.assertEqual(self.report((10, "0" * 64)).first_bad, 11)

    def test_a_rotation_that_was_cut_short(self) -> None:
        """An empty last segment is where the daemon goes on; it is no tampering, in another place it is."""
        self.lay(chain(10))
        (self.folder / segment_name(11)).touch()
        self.assertIsNone(self.report().first_bad)
        (self.folder / segment_name(11)).rename(self.folder / segment_name(12))
        self.assertEqual(self.report().first_bad, 11)

    def test_clock(self) -> None:
        """Records made while the clock stood behind are whole."""
        events = [(_NOON, b'{"type":"x"}'), (_NOON - timedelta(days=1), b'{"type":"x"}')]
        self.lay(seal_all(GENESIS, events, "gate-1")[0])
        self.assertIsNone(self.report().first_bad)


def _delete(lines: Lines, at: int, dice: random.Random) -> Lines:
    return lines[:at] + lines[at + 1 :]


def _delete_many(lines: Lines, at: int, dice: random.Random) -> Lines:
    return lines[:at] + lines[dice.randint(at + 1, len(lines) - 1) :]


def _cut_off(lines: Lines, at: int, dice: random.Random) -> Lines:
    return lines[:at]


def _cut_inside(lines: Lines, at: int, dice: random.Random) -> Lines:
    return [*lines[:at], lines[at][: dice.randint(1, len(lines[at]) - 1)]]


def _flip_a_bit(lines: Lines, at: int, dice: random.Random) -> Lines:
    line = bytearray(lines[at])
    line[dice.randrange(len(line))] ^= 1 << dice.randrange(8)
    return [*lines[:at], bytes(line), *lines[at + 1 :]]


def _drop_a_byte(lines: Lines, at: int, dice: random.Random) -> Lines:
    byte = dice.randrange(len(lines[at]))
    return [*lines[:at], lines[at][:byte] + lines[at][byte + 1 :], *lines[at + 1 :]]


def _add_a_byte(lines: Lines, at: int, dice: random.Random) -> Lines:
    byte = dice.randrange(len(lines[at]))
    return [*lines[:at], lines[at][:byte] + bytes([dice.randrange(256)]) + lines[at][byte:], *lines[at + 1 :]]


def _edit(lines: Lines, at: int, dice: random.Random) -> Lines:
    return [*lines[:at], lines[at].replace(b"203.0.113.7", b"198.51.100.1"), *lines[at + 1 :]]


def _edit_and_seal(lines: Lines, at: int, dice: random.Random) -> Lines:
    return [*lines[:at], sealed_again(lines[at], event={"type": "stream.opened"}), *lines[at + 1 :]]


def _rewrite_the_rest(lines: Lines, at: int, dice: random.Random) -> Lines:
    before = Head(at, read_record(lines[at]).prev, GENESIS.at)
    events = [(datetime.fromisoformat(read_record(line).at), b'{"type":"stream.opened"}') for line in lines[at:]]
    return lines[:at] + seal_all(before, events, "gate-1")[0]


def _swap(lines: Lines, at: int, dice: random.Random) -> Lines:
    other = dice.randint(at + 1, len(lines) - 1)
    lines = list(lines)
    lines[at], lines[other] = lines[other], lines[at]
    return lines


def _repeat(lines: Lines, at: int, dice: random.Random) -> Lines:
    return [*lines[:at], lines[dice.randrange(at)], *lines[at:]] if at else [lines[1], *lines]


def _repeat_with_a_new_number(lines: Lines, at: int, dice: random.Random) -> Lines:
    return [*lines[:at], sealed_again(lines[at - 1], seq=at + 1), *lines[at:]] if at else [lines[1], *lines]


def _splice(lines: Lines, at: int, dice: random.Random) -> Lines:
    return [*lines[:at], chain(node="gate-2")[at], *lines[at + 1 :]]


def _splice_and_seal(lines: Lines, at: int, dice: random.Random) -> Lines:
    other = chain(node="gate-2")[at]
    return [*lines[:at], sealed_again(other, prev=read_record(lines[at]).prev), *lines[at + 1 :]]


def _splice_the_rest_of_a_fork(lines: Lines, at: int, dice: random.Random) -> Lines:
    return lines[:at] + chain(salt="fork")[at:] if at else [lines[1], *lines]


def _clock_back(lines: Lines, at: int, dice: random.Random) -> Lines:
    earlier = datetime.fromisoformat(read_record(lines[at]).at) - timedelta(hours=1)
    if not at:
        return [lines[1], *lines]
    return [*lines[:at], sealed_again(lines[at], at=earlier), *lines[at + 1 :]]


def _insert(lines: Lines, at: int, dice: random.Random) -> Lines:
    forged = dice.choice([b"\n", b"{}\n", b"\x00" * 50, b"\xff\n", b"[" * 5000 + b"\n", b"x" * 70_000 + b"\n", b'{"seq":1}\r\n'])
    return [*lines[:at], forged, *lines[at:]]


_WAYS: list[Callable[[Lines, int, random.Random], Lines]] = [
    _delete, _delete_many, _cut_off, _cut_inside, _flip_a_bit, _drop_a_byte, _add_a_byte, _edit, _edit_and_seal,
    _rewrite_the_rest, _swap, _repeat, _repeat_with_a_new_number, _splice, _splice_and_seal, _splice_the_rest_of_a_fork,
    _clock_back, _insert,
]  # fmt: skip


class TamperingTests(FolderCase):
    def test_each_is_found(self) -> None:
        """A thousand and more random tamperings are found, each at its first record, by whoever keeps heads elsewhere."""
        lines = chain()
        dice = random.Random(20260131)
        found: dict[str, int] = {}
        for number in range(_TAMPERINGS):
            way = _WAYS[number % len(_WAYS)]
            at = dice.randrange(_LENGTH - 1)
            tampered = way(lines, at, dice)
            if tampered == lines:  # a byte that was added may be the one that was there
                continue
            self.lay(tampered, dice.choice([(), (7,), (1, 13)]))
            # what is rewritten up to the end with hashes that fit shows at the next head, here that of each record
            report = self.report(*map(head_of, lines if way in (_rewrite_the_rest, _splice_the_rest_of_a_fork) else lines[-1:]))
            self.assertEqual(report.first_bad, at + 1, (way.__name__, at, report))
            found[report.reason] = found.get(report.reason, 0) + 1
        self.assertEqual(set(found), {"missing", "unfinished", "format", "hash", "order", "link", "node", "time", "head"})

    def test_without_a_head(self) -> None:
        """Without a head all is found but a cut or a rewriting at the end; a record sealed anew is named by the one after it."""
        lines = chain()
        dice = random.Random(1)
        blind = {_cut_off, _rewrite_the_rest}
        for way in _WAYS:
            for at in range(1, _LENGTH - 1):
                tampered = way(lines, at, dice)
                self.lay(tampered)
                expected = None if way in blind or tampered == lines else at + 2 if way is _edit_and_seal else at + 1
                self.assertEqual(self.report().first_bad, expected, (way.__name__, at))

    def test_the_first_record_from_elsewhere(self) -> None:
        """A first record from another node's chain is found where the node's name is known."""
        lines = chain()
        self.lay(_splice_and_seal(lines, 0, random.Random()))
        self.assertEqual(self.report(node="gate-1").first_bad, 1)
        self.assertEqual(self.report(head_of(lines[-1])).first_bad, 1)

    def test_segments(self) -> None:
        """A segment that was removed, renamed or emptied is found at its first record."""
        lines = chain()
        for number, damage in enumerate([Path.unlink, lambda path: path.rename(path.with_name(segment_name(12))), Path.touch]):
            self.lay(lines, (10, 10))
            path = self.folder / segment_name(11)
            if damage is Path.touch:
                path.write_bytes(b"")
            else:
                damage(path)
            report = self.report()
            self.assertEqual((report.first_bad, report.reason), (11, "missing"), number)

    def test_all_removed(self) -> None:
        """That everything was removed shows where a head is known."""
        self.assertEqual(self.report((30, "0" * 64)).first_bad, 1)


class LineTests(SynchronousTestCase):
    @given(any_event)
    def test_any_event(self, event: Event) -> None:
        """Any event's record reads back as that event."""
        line, head = seal(GENESIS, canonical(as_json(event)), "gate-1", _NOON)
        record = read_record(line)
        self.assertEqual((record.event, record.hash, record.seq), (as_json(event), head.hash, 1))
        self.assertEqual(line.count(b"\n"), 1)

    @given(st.binary(max_size=300) | st.builds(lambda text: json.dumps(text).encode() + b"\n", st.text()))
    def test_anything(self, line: bytes) -> None:
        """Whatever a line is, nothing but `Bad` escapes."""
        try:
            read_record(line)
        except Bad:
            return
        self.fail("this is no record")

    @given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
                        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner)))  # fmt: skip
    def test_any_members(self, wrong: object) -> None:
        """Whatever stands for a member, under a hash that fits, nothing but `Bad` escapes."""
        good = json.loads(chain(1)[0])
        del good["hash"]
        for name in [*good, "behind_us", "more"]:
            body = json.dumps({**good, name: wrong}, sort_keys=True, separators=(",", ":")).encode()
            digest = hashlib.sha256(b"coral-gate/audit/record/1\0" + bytes(32) + body).hexdigest()
            try:
                record = read_record(body[:-1] + b',"hash":"' + digest.encode() + b'"}\n')
            except Bad:
                continue
            self.assertIn(name, ("event", "seq", "behind_us", "node"))
            self.assertIsInstance(record.seq, int)

    def test_not_canonical(self) -> None:
        """A record that says the same in other bytes is none, even under a hash that fits."""
        body = chain(1)[0].split(b',"hash"')[0] + b"}"
        for wrong in (
            body.replace(b'"seq":1', b'"seq": 1'),
            body.replace(b'"seq":1', b'"seq":1.0'),
            body.replace(b'"seq":1', b'"seq":1,"seq":1'),
            body.replace(b'"seq":1', b'"seq":01'),
            body.replace(b"terminal", b"termin\\u0061l"),
            body.replace(b'"v":1', b'"v":2'),
            body.replace(b'"v":1', b'"v":true'),
            body.replace(b'"seq":1', b'"seq":0'),
            body.replace(b'"seq":1', b'"seq":9007199254740992'),
            body.replace(b"2026-01-31T", b"2026-02-31T"),
            body.replace(b".000000Z", b".000000z"),
            body.replace(b"gate-1", b"gate 1"),
            body.replace(b'"session":"s0"', b'"session":0.5'),
            body.replace(b'"session":"s0"', b'"session":NaN'),
        ):
            self.assertNotEqual(wrong, body)
            digest = hashlib.sha256(b"coral-gate/audit/record/1\0" + bytes(32) + wrong).hexdigest()
            with self.assertRaises(Bad) as caught:
                read_record(wrong[:-1] + b',"hash":"' + digest.encode() + b'"}\n')
            self.assertEqual(caught.exception.reason, "format", wrong)

    def test_hostile_text(self) -> None:
        """A log full of injections verifies, and each event is one line."""
        events = [(_NOON, canonical(as_json(opened(hostile)))) for hostile in INJECTIONS]
        lines = seal_all(GENESIS, events, "gate-1")[0]
        walk = verify.Walk()
        for line in b"".join(lines).splitlines(keepends=True):
            walk.take(line)
        self.assertEqual(walk.seq, len(INJECTIONS))


class CommandTests(FolderCase):
    def command(self, *words: str) -> tuple[int, str, str]:
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            try:
                code = verify.main([str(self.folder), *words])
            except SystemExit as ended:
                code = int(str(ended.code))
        return code, out.getvalue(), err.getvalue()

    def test_whole(self) -> None:
        """A whole chain: 0, and the head to keep."""
        lines = chain()
        self.lay(lines)
        code, out, _ = self.command()
        self.assertEqual(code, 0)
        self.assertIn("head: 30:" + head_of(lines[-1])[1], out)
        self.assertEqual(self.command("--head", "{}:{}".format(*head_of(lines[-1])))[0], 0)

    def test_tampered(self) -> None:
        """A chain that was tampered with: 1, and the first bad record."""
        self.lay(_delete(chain(), 7, random.Random()))
        code, out, _ = self.command()
        self.assertEqual((code, out), (1, "NOT WHOLE: record 8: The record is missing; a later one stands in its place. [missing]\n"))

    def test_json(self) -> None:
        """The same for a program."""
        self.lay(_edit(chain(), 7, random.Random()))
        code, out, _ = self.command("--json")
        said = json.loads(out)
        self.assertEqual((code, said["ok"], said["first_bad"], said["reason"], said["records"]), (1, False, 8, "hash", 7))
        self.lay(chain())
        self.assertTrue(json.loads(self.command("--json")[1])["ok"])

    def test_unreadable(self) -> None:
        """No folder, no log in it, or a head that is none: 2."""
        self.assertEqual(self.command()[0], 2)
        self.assertEqual(self.command("--head", "30")[0], 2)
        self.folder.rmdir()
        self.assertEqual(self.command()[0], 2)

    def test_by_itself(self) -> None:
        """The file imports nothing but the standard library, and runs where there is nothing else."""
        path = Path(verify.__file__)
        names = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                names.add(str(node.module).partition(".")[0])
        self.assertLessEqual(names, set(sys.stdlib_module_names))
        self.lay(chain())
        copy = self.folder / "copy.py"
        copy.write_bytes(path.read_bytes())
        done = subprocess.run([sys.executable, "-I", "-S", str(copy), str(self.folder)], capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
