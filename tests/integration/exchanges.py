"""
The corpus, sent to a running gate: one case after the other on each lane, several lanes side by side.

A lane is a sandbox with an origin of its own, so that whatever reaches that origin came from the lane's case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults

from tests.corpus.case import Case, request
from tests.integration.client import Reactor, connect, send
from tests.integration.node_origin import NodeOrigin
from tests.integration.verdicts import FENCE, Happened, has_sentinel, sentinel

_PATIENCE_S = 20
_WAITS_S = 1
"""After this a connection on which nothing ends is taken for one that waits for the rest of some content."""

Judge = Callable[[Case, Happened, bytes], None]
"""Raises where what happened to a case is not what must; the last argument is the host."""


@define
class Lane:
    """
    One sandbox and its origin.

    :ivar host: the sandbox's authority.
    :ivar origin: the number of the origin.
    """

    reactor: Reactor
    port: int
    host: bytes
    node: NodeOrigin
    origin: int

    async def run(self, case: Case) -> Happened:
        """Send one case and see what comes of it."""
        wire = await connect(self.reactor, self.port, self._methods(case))
        payload = case.payload + (sentinel(self.host) if has_sentinel(case) else b"")
        await send(self.reactor, wire, payload, case.cuts)
        if case.hangs_up:
            wire.transport.loseWriteConnection()
        await wire.closed.addTimeout(_PATIENCE_S, self.reactor)
        fence = await self._fence()
        records = await self.node.take(self.origin)
        malformed = "" if wire.malformed is None else str(wire.malformed)
        return Happened(wire.reader.answers, malformed, records, fence)

    async def try_out(self, payload: bytes) -> Happened:
        """Send bytes of which nobody knows what they are; a connection that waits for more of them is closed."""
        wire = await connect(self.reactor, self.port, [b"GET"] * 10)
        await send(self.reactor, wire, payload + sentinel(self.host))
        waits = self.reactor.callLater(_WAITS_S, wire.transport.loseWriteConnection)
        await wire.closed.addTimeout(_PATIENCE_S, self.reactor)
        if waits.active():
            waits.cancel()
        fence = await self._fence()
        records = await self.node.take(self.origin)
        return Happened(wire.reader.answers, "" if wire.malformed is None else str(wire.malformed), records, fence)

    @staticmethod
    def _methods(case: Case) -> list[bytes]:
        """What the answers belong to; after the last comes the sentinel, or a refusal of what is no request."""
        first = [seen.method for seen in case.seen] or [case.payload.partition(b" ")[0]]
        return [*first, b"GET", b"GET"]

    async def _fence(self) -> int:
        """Ask on a new connection; when that is answered, whatever the case left on the way has arrived."""
        wire = await connect(self.reactor, self.port, [b"GET"])
        await send(self.reactor, wire, request(self.host, b"Connection: close", target=FENCE))
        await wire.closed.addTimeout(_PATIENCE_S, self.reactor)
        return wire.reader.answers[0].status if wire.reader.answers else 0


@define
class Outcome:
    """
    What came of a corpus.

    :ivar passed: how many cases did what they must.
    :ivar wrong: name of each other case, and what was wrong with it.
    :ivar statuses: how each case was first answered; 0 where it was not.
    """

    passed: int = 0
    wrong: dict[str, str] = field(factory=dict)
    statuses: dict[str, int] = field(factory=dict)


async def run_lanes(lanes: Sequence[Lane], cases: Sequence[Iterable[Case]], judge: Judge) -> Outcome:
    """Run each lane through its cases, all lanes at once."""
    outcome = Outcome()
    running = [Deferred.fromCoroutine(_run_lane(lane, own, judge, outcome)) for lane, own in zip(lanes, cases, strict=True)]
    await gatherResults(running, consumeErrors=True)
    return outcome


async def _run_lane(lane: Lane, cases: Iterable[Case], judge: Judge, outcome: Outcome) -> None:
    await lane.node.take(lane.origin)
    for case in cases:
        try:
            happened = await lane.run(case)
            outcome.statuses[case.name] = happened.answers[0].status if happened.answers else 0
            judge(case, happened, lane.host)
            outcome.passed += 1
        except Exception as wrong:
            outcome.wrong[case.name] = f"{type(wrong).__name__}: {wrong} ({case.why})"
