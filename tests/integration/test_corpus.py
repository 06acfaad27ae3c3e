"""The corpus of requests, through the daemon, toward node.js."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from tests import LONG
from tests.corpus.case import Case, Seen, Verdict
from tests.corpus.mutants import mutants
from tests.corpus.requests import cases
from tests.integration.daemon import Daemon
from tests.integration.exchanges import Judge, Lane, Outcome, run_lanes
from tests.integration.node_origin import NodeOrigin
from tests.integration.verdicts import Happened, Wrong, consistent, judge

_LANES = 12
_FEWEST = 3900
_MUTANTS = 120_000 if LONG else 3600

_NODE_IS_STRICTER = ("chunks/extension-loose-", "framing/coding-good-\\tchunked\\t")
"""White space that RFC 9112 allows and node 24 does not; the gate takes it off, and node never sees it."""

_reactor: Any = reactor  # it provides a dozen interfaces, and no type says which


class CorpusTests(TestCase):
    """Requests, hostile and honest."""

    timeout = 3000 if LONG else 300

    async def _start(self, reactor: Any) -> NodeOrigin:
        node = await NodeOrigin.start(reactor, _LANES)
        self.addCleanup(lambda: Deferred.fromCoroutine(node.stop()))
        return node

    async def _daemon(self) -> tuple[Daemon, list[Lane]]:
        node = await self._start(_reactor)
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        daemon = await Daemon.start(_reactor, folder, node.ports)
        self.addCleanup(lambda: Deferred.fromCoroutine(daemon.stop()))
        return daemon, [Lane(_reactor, daemon.port, daemon.authority(number), node, number) for number in range(_LANES)]

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
        daemon, lanes = await self._daemon()
        outcome = await self._cases(lanes, set(Verdict), judge)
        self.assertGreater(outcome.passed, _FEWEST)
        self.assertNotIn("Traceback", daemon.log)

    async def test_mutants(self) -> None:
        """
        Whatever one byte more, less or other makes of a request: the origin sees just the requests that the gate
        answers for, and none that node's parser refuses.
        """
        daemon, lanes = await self._daemon()
        seed = random.randrange(1 << 32) if LONG else 1
        wrong: list[str] = []
        await gatherResults([Deferred.fromCoroutine(self._try_out(lane, seed + number, wrong)) for number, lane in enumerate(lanes)])
        if wrong:
            self.fail(f"seed {seed}: {len(wrong)} wrong\n" + "\n".join(wrong))
        self.assertNotIn("Traceback", daemon.log)

    async def _try_out(self, lane: Lane, seed: int, wrong: list[str]) -> None:
        await lane.node.take(lane.origin)
        for octets in mutants(lane.host, seed, _MUTANTS // _LANES):
            try:
                consistent(await lane.try_out(octets), lane.host)
            except Exception as error:
                wrong.append(f"{error!r}: {octets!r}")

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
