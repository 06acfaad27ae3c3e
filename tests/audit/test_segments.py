"""
The audit folder: what is written to it, and what a crash or a failing disk leaves in it.
"""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.chain import canonical
from coral_gate.audit.event import as_json
from coral_gate.audit.files import Files
from coral_gate.audit.recovery import Recovered, segment_name
from coral_gate.audit.segments import Segments
from coral_gate.audit.verify import Folder, read_record
from coral_gate.errors import ConfigError
from tests.audit.disk import STEPS, BadDisk
from tests.audit.samples import opened

_NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


def events(*names: str) -> list[tuple[datetime, bytes]]:
    return [(_NOON, canonical(as_json(opened(name)))) for name in names]


class SegmentsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.disk = BadDisk()

    def open(self, node: str = "gate-1", segment_bytes: int = 2**20, disk: Files | None = None) -> tuple[Segments, Recovered]:
        """Open the folder as a process does, until the test ends or the process is `killed`."""
        opened = Segments(str(self.folder), node, segment_bytes, disk or self.disk)
        recovered = opened.open()
        self.addCleanup(opened.close)
        return opened, recovered

    def names(self) -> list[str]:
        """The sessions that the whole chain names, oldest first; fails where the chain is not whole."""
        report = Folder(self.folder, node="gate-1").verify()
        self.assertIsNone(report.first_bad, report)
        lines = b"".join(path.read_bytes() for path in sorted(self.folder.glob("*.jsonl"))).splitlines(keepends=True)
        return [str(read_record(line).event["session"]) for line in lines]

    def refused(self) -> str:
        return str(self.assertRaises(ConfigError, self.open))


class WritingTests(SegmentsCase):
    def test_written(self) -> None:
        """What was appended is a chain in a file that is ours alone."""
        writer, recovered = self.open()
        self.assertEqual(recovered.head.seq, 0)
        self.assertEqual(writer.append(events("a", "b")).seq, 2)
        self.assertEqual(writer.append(events("c")).seq, 3)
        self.assertEqual(self.names(), ["a", "b", "c"])
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
        self.assertEqual((self.folder / segment_name(1)).stat().st_mode & 0o777, 0o600)

    def test_synced(self) -> None:
        """Each append is synced after it is written, and a new segment's name before it is written to."""
        writer, _ = self.open(segment_bytes=1)
        writer.append(events("a"))
        del self.disk.calls[:]
        writer.append(events("b"))
        self.assertEqual([call for call in self.disk.calls if call != "state"], ["append_to", "sync", "write", "sync"])

    def test_rotation(self) -> None:
        """A segment that is long enough is followed by one that is named after its first record."""
        writer, _ = self.open(segment_bytes=1000)
        for number in range(10):
            writer.append(events(str(number)))
        self.assertEqual(self.names(), [str(number) for number in range(10)])
        firsts = [read_record(path.read_bytes().splitlines(True)[0]).seq for path in sorted(self.folder.iterdir())]
        self.assertEqual(sorted(os.listdir(self.folder)), [segment_name(first) for first in firsts])
        self.assertGreater(len(firsts), 2)

    def test_going_on(self) -> None:
        """Whoever opens the folder next goes on with the chain, whichever segment it ends in."""
        for number in range(12):
            writer, recovered = self.open(segment_bytes=1500)
            self.assertEqual((recovered.head.seq, recovered.torn_bytes), (number, 0))
            writer.append(events(str(number)))
            writer.close()
        self.assertEqual(self.names(), [str(number) for number in range(12)])

    def test_short_writes(self) -> None:
        """A write that comes short is gone on with."""
        self.disk.longest_write = 7
        writer, _ = self.open()
        writer.append(events("a", "b"))
        self.assertEqual(self.names(), ["a", "b"])


class OneWriterTests(SegmentsCase):
    def test_one_writer(self) -> None:
        """A second writer is told so, and the folder is free when the first is gone."""
        writer, _ = self.open()
        self.assertIn("another process writes this audit folder", self.refused())
        writer.close()
        self.open()

    def test_ours_alone(self) -> None:
        """A folder that others can reach is refused."""
        self.folder.mkdir()
        for mode in (0o750, 0o701, 0o777):
            self.folder.chmod(mode)
            self.assertIn("others can reach the audit folder", self.refused())

    def test_one_node(self) -> None:
        """A folder that holds another node's chain is refused, in its last segment or the one before."""
        writer, _ = self.open(node="gate-2")
        writer.append(events("a"))
        writer.close()
        self.assertIn("[node]", self.refused())
        (self.folder / segment_name(2)).touch()
        self.assertIn("[node]", self.refused())

    def test_a_link(self) -> None:
        """A segment that is a symbolic link is not followed."""
        self.folder.mkdir(0o700)
        (self.folder / segment_name(1)).symlink_to("/dev/null")
        self.assertRaises(OSError, self.open)

    def test_touched(self) -> None:
        """Where someone else wrote to the segment, cut it or removed it, nothing more is written."""
        writer, _ = self.open()
        writer.append(events("a"))
        path = self.folder / segment_name(1)
        whole = path.read_bytes()
        for wrong in (whole + b"x", whole[:-1], b""):
            path.write_bytes(wrong)
            self.assertRaises(OSError, writer.append, events("b"))
            self.assertEqual(path.read_bytes(), wrong)
        path.write_bytes(whole)
        writer.append(events("b"))
        path.unlink()
        self.assertRaises(OSError, writer.append, events("c"))


class RecoveryTests(SegmentsCase):
    def test_torn_anywhere(self) -> None:
        """Wherever in the last record the file ends, what is unfinished is set aside, the rest is whole and goes on."""
        writer, _ = self.open()
        writer.append(events("a", "b", "c"))
        writer.close()
        path = self.folder / segment_name(1)
        content = path.read_bytes()
        last = content.rindex(b"\n", 0, -1) + 1
        for size in range(last, len(content)):
            path.write_bytes(content[:size])
            writer, recovered = self.open()
            self.assertEqual((recovered.head.seq, recovered.torn_bytes), (2, size - last))
            if recovered.torn_bytes:
                self.assertEqual((self.folder / recovered.kept_as).read_bytes(), content[last:size])
            writer.append(events("d"))
            self.assertEqual(self.names(), ["a", "b", "d"])
            writer.close()

    def test_torn_first_record(self) -> None:
        """So too in the only record there is, and in the first of a later segment."""
        writer, _ = self.open(segment_bytes=1)
        writer.append(events("a"))
        writer.append(events("b"))
        writer.close()
        for number in (2, 1):
            os.truncate(self.folder / segment_name(number), 10)
            writer, recovered = self.open()
            self.assertEqual((recovered.head.seq, recovered.torn_bytes), (number - 1, 10))
            writer.close()
            (self.folder / segment_name(number)).unlink()

    def test_torn_twice(self) -> None:
        """A second tear in the same place does not overwrite what the first left."""
        writer, _ = self.open()
        writer.append(events("a"))
        writer.close()
        for torn in (b"one", b"two"):
            with (self.folder / segment_name(1)).open("ab") as file:
                file.write(torn)
            self.open()[0].close()
        self.assertEqual({path.read_bytes() for path in self.folder.glob("*.torn")}, {b"one", b"two"})

    def test_killed_while_recovering(self) -> None:
        """A recovery that fails at any step can be done again, and loses nothing."""
        writer, _ = self.open()
        writer.append(events("a"))
        writer.close()
        for step in range(40):
            with (self.folder / segment_name(1)).open("ab") as file:
                file.write(b"torn")
            disk = BadDisk()
            disk.fail_at = step
            try:
                self.open(disk=disk)[0].close()
            except OSError:
                self.open()[0].close()
            else:
                break
            self.assertEqual(self.names(), ["a"])
        self.assertGreater(step, 5)

    def test_tampered(self) -> None:
        """A log that is not as it was written is not gone on with, and not touched."""
        writer, _ = self.open()
        writer.append(events("a", "b", "c"))
        writer.close()
        path = self.folder / segment_name(1)
        content = path.read_bytes().replace(b'"session":"b"', b'"session":"x"')
        path.write_bytes(content + b"torn")
        self.assertIn("not an audit log as it was written", self.refused())
        self.assertEqual((path.read_bytes(), os.listdir(self.folder)), (content + b"torn", [path.name]))

    def test_segments_that_do_not_fit(self) -> None:
        """A last segment that does not follow the one before it is not gone on with."""
        writer, _ = self.open(segment_bytes=1)
        for name in "abc":
            writer.append(events(name))
        writer.close()
        (self.folder / segment_name(2)).unlink()
        self.assertIn("[missing]", self.refused())
        os.truncate(self.folder / segment_name(3), 0)
        self.assertIn("[missing]", self.refused())

    def test_moved_elsewhere(self) -> None:
        """Where older segments were moved elsewhere, the last one is gone on with."""
        writer, _ = self.open(segment_bytes=1)
        for name in "abc":
            writer.append(events(name))
        writer.close()
        for number in (1, 2):
            (self.folder / segment_name(number)).unlink()
        writer, recovered = self.open()
        self.assertEqual(recovered.head.seq, 3)
        self.assertEqual(writer.append(events("d")).seq, 4)


class BadDiskTests(SegmentsCase):
    def test_each_step_fails(self) -> None:
        """Whichever call fails, once: what was acknowledged is there, no half line is, and the next append works."""
        for segment_bytes in (2**20, 1):
            for step in range(20):
                self.setUp()
                writer, _ = self.open(segment_bytes=segment_bytes)
                writer.append(events("a", "b"))
                del self.disk.calls[:]
                self.disk.fail_at = step
                acknowledged = ["a", "b"]
                for name in "cde":
                    try:
                        writer.append(events(name))
                    except OSError:
                        continue
                    acknowledged.append(name)
                self.assertEqual(self.names(), acknowledged)
                self.assertGreaterEqual(len(acknowledged), 4)
                writer.close()

    def test_each_call_fails_for_long(self) -> None:
        """While a call fails nothing is acknowledged; when it works again the chain goes on, with nothing of the failed."""
        for call in STEPS:
            for segment_bytes in (2**20, 1):
                self.setUp()
                writer, _ = self.open(segment_bytes=segment_bytes)
                writer.append(events("a"))
                acknowledged = ["a"]
                self.disk.failing = {call, "write"}
                for name in "bcd":
                    self.assertRaises(OSError, writer.append, events(name))
                self.disk.failing = set()
                writer.append(events("e"))
                self.assertEqual(self.names(), [*acknowledged, "e"])
                writer.close()

    def test_disk_full(self) -> None:
        """A disk that fills up at any byte leaves no half line once there is room again."""
        writer, _ = self.open()
        writer.append(events("a"))
        size = len((self.folder / segment_name(1)).read_bytes())
        for room in range(0, 2 * size, 13):
            self.disk.room_bytes = room
            self.assertRaises(OSError, writer.append, events("b", "c", "d"))
            self.assertRaises(OSError, writer.append, events("b", "c", "d"))
            self.disk.room_bytes = None
            self.assertEqual(self.names(), ["a"] + ["e"] * (room // 13))
            writer.append(events("e"))
            self.assertEqual(self.names(), ["a"] + ["e"] * (room // 13 + 1))

    def test_power_cuts(self) -> None:
        """Whatever of the unsynced bytes a power cut leaves, each acknowledged event is there and the chain goes on."""
        dice = random.Random(20260131)
        acknowledged: list[str] = []
        for number in range(100):
            writer, _ = self.open(segment_bytes=dice.choice([1, 3000, 2**20]))
            found = self.names()
            self.assertEqual([name for name in found if name in set(acknowledged)], acknowledged)
            for part in range(dice.randrange(4)):
                writer.append(events(f"{number}.{part}"))
                acknowledged.append(f"{number}.{part}")
            if dice.random() < 0.7:
                self.disk.failing = {dice.choice(["sync", "write"])}
                self.assertRaises(OSError, writer.append, events(f"{number}.x", f"{number}.y"))
                self.disk.failing = set()
            writer.close()
            self.disk.power_cut(self.folder, dice.randint)
