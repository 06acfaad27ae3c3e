"""
How a record is made.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.chain import GENESIS, Head, canonical, node_name, seal, seal_all

_NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


class RecordTests(SynchronousTestCase):
    def test_by_the_byte(self) -> None:
        """The first record is, byte by byte, what the format says."""
        line, head = seal(GENESIS, b'{"type":"x.y"}', "gate-1", _NOON)
        body = b'{"at":"2026-01-31T12:00:00.000000Z","event":{"type":"x.y"},"node":"gate-1","prev":"' + b"0" * 64 + b'","seq":1,"v":1}'
        digest = hashlib.sha256(b"coral-gate/audit/record/1\0" + bytes(32) + body).hexdigest()
        self.assertEqual(line, body[:-1] + b',"hash":"' + digest.encode() + b'"}\n')
        self.assertEqual(head, Head(1, digest, _NOON))
        self.assertEqual(str(head), f"1:{digest}")

    def test_canonical(self) -> None:
        """A record without its hash is canonical: written again, it is the same bytes."""
        line, _ = seal(GENESIS, canonical({"type": "x", "a": "é\n"}), "gate-1", _NOON)
        record = json.loads(line)
        del record["hash"]
        self.assertEqual(canonical(record), line[: line.index(b',"hash"')] + b"}")

    def test_linked(self) -> None:
        """Each record carries the hash of the one before it and the next number."""
        lines, head = seal_all(GENESIS, [(_NOON, b"{}")] * 3, "gate-1")
        records = [json.loads(line) for line in lines]
        self.assertEqual([record["seq"] for record in records], [1, 2, 3])
        self.assertEqual([record["prev"] for record in records], ["0" * 64, records[0]["hash"], records[1]["hash"]])
        self.assertEqual((head.seq, head.hash), (3, records[2]["hash"]))

    def test_clock_goes_back(self) -> None:
        """Where the clock goes back, time in the chain stands still and the record says by how much."""
        lines, head = seal_all(GENESIS, [(_NOON, b"{}"), (_NOON - _SECOND, b"{}"), (_NOON + _SECOND, b"{}")], "gate-1")
        records = [json.loads(line) for line in lines]
        self.assertEqual(records[1]["at"], records[0]["at"])
        self.assertEqual([record.get("behind_us") for record in records], [None, 1_000_000, None])
        self.assertEqual(head.at, _NOON + _SECOND)

    def test_names(self) -> None:
        """A node's name can stand in a record as it is."""
        self.assertEqual(node_name("gate-1.example"), "gate-1.example")
        for wrong in ("", "a b", 'a"', "a\n", "é", "-a", "x" * 65):
            self.assertRaises(ValueError, node_name, wrong)

    def test_heads(self) -> None:
        """A head whose hash is none is not a head."""
        for wrong in ("", "0" * 63, "A" * 64, "0" * 64 + "\n"):
            self.assertRaises(ValueError, Head, 1, wrong, _NOON)
