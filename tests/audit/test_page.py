"""
The page about the audit log says what the code does.
"""

from __future__ import annotations

import hashlib
import inspect
import re

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.event import Event, members
from coral_gate.audit.events import EVENT_TYPES, RESERVED_TYPES
from coral_gate.audit.granularity import Bounds
from coral_gate.audit.group_commit import Limits
from coral_gate.audit.segments import SEGMENT_BYTES
from coral_gate.audit.verify import MAX_LINE_BYTES, Walk
from tests import ROOT

_PAGE = (ROOT / "docs" / "audit.md").read_text()


def table() -> str:
    """The table of events, as it must stand in the page."""
    shared = {member for _, member in members(Event)}
    rows = ["| type | outcome | members | says |", "|---|---|---|---|"]
    for name, kind in EVENT_TYPES.items():
        own = ", ".join(f"`{member}`" for _, member in members(kind) if member not in shared)
        rows.append(f"| `{name}` | {kind.outcome.value} | {own} | {str(inspect.getdoc(kind)).splitlines()[0]} |")
    return "\n".join(rows)


class PageTests(SynchronousTestCase):
    def test_events(self) -> None:
        """Its table has each kind of event, with its outcome, its members and what it says."""
        found = _PAGE.split("<!-- events -->\n")[1].split("\n<!-- end of events -->")[0]
        self.assertEqual(found, table())

    def test_example(self) -> None:
        """Its example is a chain, and its rule for the hash makes the hashes in it."""
        lines = re.findall(r"^\{.*\}$", _PAGE, re.MULTILINE)
        walk = Walk()
        for line in lines:
            walk.take(line.encode() + b"\n")
        self.assertEqual(walk.seq, 2)
        body, prev = lines[1].encode()[:-75] + b"}", bytes.fromhex(lines[0][-66:-2])
        digest = hashlib.sha256(b"coral-gate/audit/record/1" + b"\0" + prev + body).hexdigest()
        self.assertEqual(lines[1][-66:-2], digest)

    def test_numbers(self) -> None:
        """Its numbers are the code's."""
        limits, bounds = Limits(), Bounds()
        for said in (
            f"At most {limits.events:,} events or {limits.event_bytes // 2**20} MiB wait",
            f"Up to {bounds.allowed_keys:,} of these",
            f"{bounds.refused_events:,} events a minute",
            f"does not answer within {limits.stall_s:.0f} s",
            f"reached {SEGMENT_BYTES // 2**20} MiB",
            f"at most {MAX_LINE_BYTES:,} bytes",
            *(f"an event of the type `{name}`" for name in RESERVED_TYPES),
        ):
            self.assertIn(said, " ".join(_PAGE.split()))
