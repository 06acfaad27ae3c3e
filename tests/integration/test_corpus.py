"""The corpus of requests, through the daemon, toward node.js."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.corpus.case import Case, Seen, Verdict
from tests.corpus.requests import cases
from tests.integration.daemon import Daemon
from tests.integration.exchanges import Judge, Lane, Outcome, run_lanes
from tests.integration.node_origin import NodeOrigin
from tests.integration.verdicts import Happened, Wrong, judge

_LANES = 12
_FEWEST = 3900

_NODE_IS_STRICTER = ("chunks/extension-loose-", "framing/coding-good-\\tchunked\\t")
"""White space that RFC 9112 allows and node 24 does not; the gate takes it off, and node never sees it."""

_reactor: Any = reactor  # it provides a dozen interfaces, and no type says which


class CorpusTests(TestCase):
    """Requests, hostile and honest."""

    timeout = 300

    async def _start(self, reactor: Any) -> NodeOrigin:
        node = await NodeOrigin.start(reactor, _LANES)
        self.addCleanup(lambda: Deferred.fromCoroutine(node.stop()))
        return node

    async def _cases(self, lanes: list[Lane], verdicts: set[Verdict], judge: Judge) -> Outcome:
        """Run each case once, on one of the lanes."""
        corpora = [[case for case in [*cases(lane.host)][number::_LANES] if case.verdict in verdicts] for number, lane in enumerate(lanes)]
        outcome = await run_lanes(lanes, corpora, judge)
        told = "\n".join(f"{name}: {why}" for name, why in sorted(outcome.wrong.items()))
        if outcome.wrong:
            self.fail(f"{len(outcome.wrong)} of {sum(map(len, corpora))}:\n{told}")
        return outcome

    async def test_daemon(self) -> None:
        """
        Each input is refused, the connection closed and nothing forwarded; or node sees exactly the requests that
        were authorised, in method, target, fields, content and number.
        """
        node = await self._start(_reactor)
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        daemon = await Daemon.start(_reactor, folder, node.ports)
        self.addCleanup(lambda: Deferred.fromCoroutine(daemon.stop()))
        lanes = [Lane(_reactor, daemon.port, daemon.authority(number), node, number) for number in range(_LANES)]
        outcome = await self._cases(lanes, set(Verdict), judge)
        self.assertGreater(outcome.passed, _FEWEST)
        self.assertNotIn("Traceback", daemon.log)

    async def test_node_alone(self) -> None:
        """What the corpus calls well-formed is so to node: without the gate it takes the same requests from the same bytes."""
        node = await self._start(_reactor)
        lanes = [Lane(_reactor, port, b"x.sbx.localhost:8443", node, number) for number, port in enumerate(node.ports)]
        outcome = await self._cases(lanes, {Verdict.FORWARDED}, _as_node_sees_it)
        self.assertGreater(outcome.passed, 1000)


def _as_node_sees_it(case: Case, happened: Happened, host: bytes) -> None:
    if case.name.startswith(_NODE_IS_STRICTER):
        return
    seen = [record for record in happened.records if record.complete][: len(case.seen)]
    told = tuple(Seen(record.method, record.target, fields=()) for record in seen)
    if told != tuple(Seen(one.method, one.target) for one in case.seen):
        raise Wrong(f"node saw {told} {[record.reason for record in happened.records]}")
    if not all(record.has_body(one.body) for record, one in zip(seen, case.seen, strict=True)):
        raise Wrong(f"node saw other content: {[record.first for record in seen]}")
