"""Answers of a hostile sandbox, through the daemon, to a careful client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.corpus.case import request
from tests.corpus.response import Outcome, Response
from tests.corpus.responses import responses
from tests.integration.answers import Malformed
from tests.integration.client import Wire, connect, send
from tests.integration.daemon import Daemon
from tests.integration.hostile import HostileApp, case_target
from tests.integration.outcomes import Saw, judge

_LANES = 24
_FEWEST = 700
_PATIENCE_S = 20
_DROPPED_S = 5
_TAKEN_BYTES = 1 << 18
"""How much a client takes of what never ends."""
_FLOODED_BYTES = 64 << 20
_GROWTH_BYTES = 64 << 20

_SETTINGS = """
[deadlines]
upstream_head = "1s"
upstream_stall = "1s"

[limits]
upstream_idle = "1h"
"""
"""Short, so that what never comes is given up; and long, so that no connection is closed just because it is idle."""

_reactor: Any = reactor  # it provides a dozen interfaces, and no type says which


class MaliciousUpstreamTests(TestCase):
    """Answers, hostile and honest."""

    timeout = 300
    app: HostileApp
    daemon: Daemon

    async def _start(self, corpus: list[Response]) -> None:
        self.app = HostileApp(_reactor, corpus)
        port = _reactor.listenTCP(0, self.app, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        self.daemon = await Daemon.start(_reactor, folder, [port.getHost().port], _SETTINGS)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.daemon.stop()))

    async def _ask(self, wire: Wire, target: bytes, method: bytes = b"GET", *lines: bytes) -> None:
        await send(_reactor, wire, request(self.daemon.authority(), *lines, method=method, target=target))

    async def _saw(self, case: Response, number: int) -> Saw:
        wire = await connect(_reactor, self.daemon.port, [case.method, b"GET"])
        target = b"/next/%d" % number
        await self._ask(wire, case_target(number), case.method)
        following = None
        try:
            answer = await wire.answer(0, _PATIENCE_S)
            if case.stray:
                await self.app.played[number].gone.addTimeout(_DROPPED_S, _reactor)
            if not answer.closes and not wire.closed.called:
                await self._ask(wire, target)
                following = bytes((await wire.answer(1, _PATIENCE_S)).body)
        except Malformed:
            pass  # what there is of an answer says the rest
        first = wire.reader.answers[0] if wire.reader.answers else None
        if following is None:
            await wire.closed.addTimeout(_PATIENCE_S, _reactor)
        malformed = "" if wire.malformed is None else str(wire.malformed)
        closed = bool(wire.closed.called)
        wire.transport.abortConnection()
        return Saw(first, malformed, closed, following, target, await self._fresh())

    async def _fresh(self) -> bool:
        """Whether the gate serves a new connection."""
        wire = await connect(_reactor, self.daemon.port, [b"GET"])
        await self._ask(wire, b"/fresh", b"GET", b"Connection: close")
        answer = await wire.answer(0, _PATIENCE_S)
        return bytes(answer.body) == b"/fresh"

    async def _lane(self, cases: Iterator[tuple[int, Response]], wrong: dict[str, str]) -> None:
        for number, case in cases:
            try:
                judge(case, await self._saw(case, number))
            except Exception as error:
                wrong[case.name] = f"{type(error).__name__}: {error} ({case.why})"

    async def test_corpus(self) -> None:
        """
        Each answer reaches the client as it is, or as a whole 502, or as a beginning and an abrupt end; the next
        request on the connection gets its own answer, and memory stays as it was.
        """
        corpus = [case for case in responses() if Outcome.ENDLESS not in case.outcomes]
        await self._start(corpus)
        await self._fresh()
        self.daemon.forget_peak()
        before = self.daemon.resident_bytes()
        wrong: dict[str, str] = {}
        queue = iter(list(enumerate(corpus)))
        await gatherResults([Deferred.fromCoroutine(self._lane(queue, wrong)) for _ in range(_LANES)])
        told = "\n".join(f"{name}: {why}" for name, why in sorted(wrong.items()))
        if wrong:
            self.fail(f"{len(wrong)} of {len(corpus)}:\n{told}")
        self.assertGreater(len(corpus), _FEWEST)
        self.assertLess(self.daemon.peak_bytes() - before, _GROWTH_BYTES)
        self.assertNotIn("Traceback", self.daemon.log)

    async def test_endless(self) -> None:
        """What never ends flows while the client reads, in constant memory; when it leaves, the sandbox is left too."""
        corpus = [case for case in responses() if Outcome.ENDLESS in case.outcomes]
        await self._start(corpus)
        await self._fresh()
        self.daemon.forget_peak()
        before = self.daemon.resident_bytes()
        for number, case in enumerate(corpus):
            wire = await connect(_reactor, self.daemon.port, [b"GET"])
            await self._ask(wire, case_target(number))
            await wire.content(0, _TAKEN_BYTES, _PATIENCE_S)
            answer = wire.reader.answers[0]
            self.assertEqual((answer.status, answer.complete, wire.malformed), (200, False, None), case.name)
            self.assertEqual(set(answer.body), {ord("a")}, case.name)
            wire.transport.abortConnection()
            await self.app.played[number].gone.addTimeout(_DROPPED_S, _reactor)
        self.assertLess(self.daemon.peak_bytes() - before, _GROWTH_BYTES)

    async def test_endless_to_nobody(self) -> None:
        """A client that does not read makes the sandbox wait: what is on the way fits in buffers."""
        case = next(case for case in responses() if case.name == "floods/chunks")
        await self._start([case])
        await self._fresh()
        self.daemon.forget_peak()
        before = self.daemon.resident_bytes()
        wire = await connect(_reactor, self.daemon.port, [b"GET"])
        await self._ask(wire, case_target(0))
        await wire.content(0, 1, _PATIENCE_S)
        wire.transport.pauseProducing()
        await self._no_more_flows()
        self.assertLess(self.app.flooded_bytes, _FLOODED_BYTES)
        self.assertLess(self.daemon.peak_bytes() - before, 16 << 20)
        wire.transport.resumeProducing()
        await wire.content(0, len(wire.reader.answers[0].body) + self.app.flooded_bytes, _PATIENCE_S)
        wire.transport.abortConnection()
        await self.app.played[0].gone.addTimeout(_DROPPED_S, _reactor)

    async def _no_more_flows(self) -> None:
        """Wait until the sandbox has been stopped for half a second, or has sent too much."""
        flowed = -1
        while flowed != self.app.flooded_bytes < _FLOODED_BYTES:
            flowed = self.app.flooded_bytes
            await deferLater(_reactor, 0.5)
