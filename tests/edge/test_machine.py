"""Browsers, the pool and sandboxes in any order of events: each answer is its request's, and nothing is left behind."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Coroutine

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config.sections.deadlines import DeadlinesConfig
from coral_gate.config.sections.limits import LimitsConfig
from coral_gate.edge.connection import HOLD_FULL
from coral_gate.edge.deadlines import NEVER
from coral_gate.edge.exchange import Exchange
from coral_gate.edge.listener import FrontConnection
from coral_gate.edge.upstream import UpstreamConnection
from coral_gate.errors import Unavailable, UpstreamUnreachable
from coral_gate.gate.judge import Decision, Judge, Later
from coral_gate.http1.body import BodyReader, ChunkedBody, LengthBody
from coral_gate.http1.head import RequestHead
from coral_gate.http1.rules import RefusedResponse
from coral_gate.model import Asker
from tests.edge.bench import HOST, Bench, Wire

TIMES = DeadlinesConfig(
    head_s=4, idle_s=8, body_stall_s=5, body_minimum_bytes_per_s=1, decide_s=3, upstream_connect_s=2, upstream_head_s=6,
    upstream_stall_s=7, reader_stall_s=9, linger_s=1,
)  # fmt: skip
LIMITS = LimitsConfig(upstream_connections_per_sandbox=2, upstream_waiting=1, body_bytes=400)
WALKS, STEPS = 300, 100
ORIGIN = b"Origin: https://" + HOST.removeprefix(b"Host: ")
EVIL = b"GET /evil HTTP/1.1\r\n" + HOST + b"\r\n\r\n"
"""Content that would be a request, if the gate and a sandbox ever disagreed where a message ends."""


@define(eq=False)
class Asked:
    """A request that a browser has begun to send, and what may come of it."""

    number: int
    method: bytes
    session: int
    refused: bool
    late: bool
    closes: bool
    content: bytes = b""
    arrived: int = 0
    until_close: bool = False


@define(eq=False)
class Browser:
    """One end that sends, and reads what comes as strictly as a browser does."""

    connection: FrontConnection
    wire: Wire
    to_send: bytes = b""
    asked: list[Asked] = field(factory=list)
    unread: bytes = b""
    lost: bool = False


@define(eq=False)
class Sandbox:
    """One end that reads requests strictly, and answers; `more` follows an answer though nobody asked for it."""

    protocol: Protocol
    wire: Wire
    received: bytes = b""
    session: int | None = None
    asked: int | None = None
    body: BodyReader | None = None
    content: bytes = b""
    answers: bytes = b""
    more: bytes = b""
    lost: bool = False


class SlowJudge:
    """The judge, who takes as long as the machine says where a request has a mark."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.asked: list[Deferred[None]] = []

    def judge(self, head: RequestHead, server_name: bytes | None, asker: Asker) -> Decision | Later:
        """What the judge says, perhaps later."""
        decision = self._judge.judge(head, server_name, asker)
        return decision if head.value(b"x-late") is None else self._later(decision)

    async def _later(self, decision: Decision | Later) -> Decision:
        answer: Deferred[None] = Deferred(self.asked.remove)
        self.asked.append(answer)
        try:
            await answer
        finally:
            outcome = await decision if isinstance(decision, Coroutine) else decision
        return outcome


def read_answer(octets: bytes, method: bytes) -> tuple[int | None, int, bytes, bytes] | None:
    """
    The first whole answer in `octets`, or None where it is not whole.

    :return: the sandbox's number of the request (None where the gate itself answers), status, content, and what follows.
    """
    while octets.startswith(b"HTTP/1.1 100 "):
        octets = octets.partition(b"\r\n\r\n")[2]
    head, end, rest = octets.partition(b"\r\n\r\n")
    if not end:
        return None
    status = int(re.match(rb"HTTP/1\.1 (\d{3}) ", head)[1])  # type: ignore[index]  # anything else is a failure, and raises
    found = re.search(rb"\r\nX-Answer: (\d+)", head)
    number = int(found[1]) if found is not None else None
    if (method == b"HEAD" and status != 408) or status in (204, 304):  # HEAD is never too slow, but its head may be: then nobody knows it
        return number, status, b"", rest
    if b"\r\nTransfer-Encoding: chunked" in head:
        body = ChunkedBody(RefusedResponse)
        content = b"".join(bytes(piece) for piece in body.feed(rest))
        return (number, status, content, bytes(body.rest)) if body.done else None
    length = int(re.search(rb"\r\nContent-Length: (\d+)", head)[1])  # type: ignore[index]  # every other answer of ours has one
    return (number, status, rest[:length], rest[length:]) if len(rest) >= length else None


class Machine:
    """
    Two to four browsers at one sandbox.

    :param seed: of what happens; a failure names it, and the same seed does the same again.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.limits = evolve(LIMITS, upstream_connections_per_sandbox=self.random.choice([1, 2]))
        self.bench = Bench(times=TIMES, limits=self.limits)
        self.judge = SlowJudge(self.bench.door.judge)
        self.bench.door.judge = self.judge  # type: ignore[assignment]  # what a door asks of it
        self.browsers: list[Browser] = []
        self.sandboxes: list[Sandbox] = []
        self.requests: dict[int, Asked] = {}
        self.seen: Counter[str] = Counter()
        self.arrive()
        self.arrive()

    def step(self) -> None:
        """Something happens, and everything holds."""
        (happens,) = self.random.choices(list(self.CHANCES), list(self.CHANCES.values()))
        happens(self)
        self.settle()
        self.nobody_is_forgotten()
        self.counts_are_right()

    def maybe(self, chance: float) -> bool:
        """True as often as that."""
        return self.random.random() < chance

    # -- browsers ------------------------------------------------------------------------------------------------------

    def arrive(self) -> None:
        """One more browser."""
        if len(self.browsers) < 4:
            connection, wire = self.bench.browser()
            connection.asker.serial = self.random.choice([1, 1, 2])  # some are of one session, and take the same streams
            self.browsers.append(Browser(connection, wire))

    def ask(self) -> None:
        """A browser has a request to send, perhaps before others are answered; some of what it has to send arrives."""
        if not self.browsers:
            return
        browser = self.random.choice(self.browsers)
        asked = Asked(
            number=len(self.requests) + 1,
            method=self.random.choice([b"GET", b"GET", b"HEAD", b"PUT", b"POST"]),
            session=browser.connection.asker.serial,
            refused=self.maybe(0.15),
            late=self.maybe(0.2),
            closes=self.maybe(0.1),
        )
        if asked.method in (b"PUT", b"POST"):
            asked.content = self.random.choice([b"", b"abc", EVIL, EVIL, b"x" * (LIMITS.body_bytes + 1)])
        self.requests[asked.number] = asked
        browser.asked.append(asked)
        browser.to_send += self._request(asked)
        self._send(browser, self.random.choice([0, 1, 70, 5000, 5000, 5000]))

    def _request(self, asked: Asked) -> bytes:
        content, framed = asked.content, asked.content
        fields = [HOST.replace(b"a" * 26, b"b" * 26) if asked.refused else HOST, b"X-Number: %d" % asked.number]
        fields += [b"Connection: close"] * asked.closes
        fields += [ORIGIN] * (asked.method in (b"PUT", b"POST")) + [b"X-Late: 1"] * asked.late
        fields += [b"Expect: 100-continue"] * (bool(content) and self.maybe(0.3))
        if content and self.maybe(0.5):
            fields.append(b"Transfer-Encoding: chunked")
            framed = b"1;x=y\r\n%b\r\n%x\r\n%b\r\n0\r\nT: x\r\n\r\n" % (content[:1], len(content) - 1, content[1:])
        elif content:
            fields.append(b"Content-Length: %d" % len(content))
        return b"\r\n".join([asked.method + b" /%d HTTP/1.1" % asked.number, *fields]) + b"\r\n\r\n" + framed

    def send(self) -> None:
        """Some of what a browser still has to send arrives."""
        with_something = [one for one in self.browsers if one.to_send]
        if with_something:
            self._send(self.random.choice(with_something), self.random.choice([1, 30, 200, 5000]))

    def _send(self, browser: Browser, part: int) -> None:
        """Bytes arrive where the gate reads, in several pieces as out of TLS: once begun, whatever the gate thinks of it."""
        if browser.wire.producerState != "producing" or browser.wire.aborted:
            return
        octets, browser.to_send = browser.to_send[:part], browser.to_send[part:]
        while octets and not browser.wire.aborted:
            size = self.random.choice([1, 40, len(octets), len(octets)])
            browser.connection.dataReceived(octets[:size])
            octets = octets[size:]

    def fill_or_drain(self) -> None:
        """A browser stops taking what it is sent, or takes it again."""
        if self.browsers:
            wire = self.random.choice(self.browsers).wire
            if wire.producer is not None and not wire.aborted:
                wire.drain() if wire.full else wire.fill()

    def leave(self) -> None:
        """A browser goes."""
        if self.browsers:
            self._lose_browser(self.random.choice(self.browsers), self.random.choice([ConnectionDone(), ConnectionLost()]))

    # -- sandboxes -----------------------------------------------------------------------------------------------------

    def slow_links(self) -> None:
        """From now on a stream takes its time to open, or it does not."""
        self.bench.link.waits = not self.bench.link.waits

    def broken_links(self) -> None:
        """From now on no stream opens, or it does."""
        self.bench.link.refusing = None if self.bench.link.refusing or self.maybe(0.5) else UpstreamUnreachable()

    def link_opens(self) -> None:
        """The stream that waits longest opens, or fails; it may have been given up."""
        if self.bench.link.pending:
            opening, factory = self.bench.link.pending.pop(0)
            if opening.called:
                return
            if self.maybe(0.8):
                opening.callback(self.bench.link.open(factory))
            else:
                opening.errback(UpstreamUnreachable())

    def answer(self) -> None:
        """A sandbox has an answer for the request that it was sent, perhaps before that is whole, perhaps with more after it."""
        asking = [one for one in self.sandboxes if not one.answers and one.asked is not None]
        if asking:
            sandbox = self.random.choice(asking)
            assert sandbox.asked is not None
            sandbox.answers, sandbox.more = self._answer(self.requests[sandbox.asked])
            sandbox.asked = None
            self._deliver(sandbox, self.random.choice([0, 20, 60, 5000, 5000, 5000]))

    def _answer(self, asked: Asked) -> tuple[bytes, bytes]:
        status = self.random.choice([200, 200, 200, 204, 304, 404])
        content = b"answer %d" % asked.number
        head = b"HTTP/1.1 %d x\r\nX-Answer: %d\r\n" % (status, asked.number)
        if self.maybe(0.2):
            head = b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + head
        if self.maybe(0.1):
            head += b"Connection: close\r\n"
        more = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil" if self.maybe(0.1) else b""
        form = self.random.choice(["length", "chunked", "until close"]) if status not in (204, 304) else ""
        framed = content
        if form == "length":
            head += b"Content-Length: %d\r\n" % len(content)
        elif form == "chunked":
            head += b"Transfer-Encoding: chunked\r\n"
            framed = b"3\r\n%b\r\n%x\r\n%b\r\n0\r\nT: x\r\n\r\n" % (content[:3], len(content) - 3, content[3:])
        elif form:
            more, asked.until_close = b"", True
        bare = asked.method == b"HEAD" or not form
        return head + b"\r\n" + (b"" if bare else framed), more

    def deliver(self) -> None:
        """Some of what a sandbox still has to say arrives."""
        with_something = [one for one in self.sandboxes if one.answers]
        if with_something:
            self._deliver(self.random.choice(with_something), self.random.choice([1, 30, 5000]))

    def _deliver(self, sandbox: Sandbox, part: int) -> None:
        if part and sandbox.wire.producerState == "producing" and not sandbox.wire.aborted:
            octets, sandbox.answers = sandbox.answers[:part], sandbox.answers[part:]
            more = b""
            if not sandbox.answers:
                more, sandbox.more = sandbox.more, b""
            first = self.random.choice([0, len(octets) - 1])
            sandbox.protocol.dataReceived(octets[:first]) if first else None
            if self.maybe(0.1):
                self.fill_or_drain()  # in the middle of a read
            if not sandbox.wire.aborted:
                sandbox.protocol.dataReceived(octets[first:] + more)
            assert not more or sandbox.wire.aborted, "kept though it says more than it was asked"

    def sandbox_fills_or_drains(self) -> None:
        """A sandbox stops taking a request, or takes what it is sent again."""
        if self.sandboxes:
            sandbox = self.random.choice(self.sandboxes)
            if sandbox.wire.full:
                sandbox.wire.drain()
            elif sandbox.asked is not None:
                sandbox.wire.fill()

    def sandbox_closes(self) -> None:
        """A sandbox closes a stream: one in use, or one that is kept."""
        if self.sandboxes:
            self._lose_sandbox(
                self.random.choice(self.sandboxes), self.random.choice([ConnectionDone(), ConnectionDone(), ConnectionLost()])
            )

    # -- the gate ------------------------------------------------------------------------------------------------------

    def judge_decides(self) -> None:
        """A decision that was waited for is made, or cannot be."""
        if self.judge.asked:
            asked = self.random.choice(self.judge.asked)
            self.judge.asked.remove(asked)
            if self.maybe(0.8):
                asked.callback(None)
            else:
                asked.errback(Unavailable())

    def wait(self) -> None:
        """Time passes."""
        self.bench.pass_time(self.random.choice([0.25, 0.25, 0.25, 0.5, 1.25, 3.5, 10]))

    CHANCES = {
        arrive: 4, ask: 20, send: 12, fill_or_drain: 6, leave: 1, slow_links: 1, broken_links: 1, link_opens: 6, answer: 20,
        deliver: 12, sandbox_fills_or_drains: 5, sandbox_closes: 3, judge_decides: 8, wait: 5,
    }  # fmt: skip
    """What happens, and how often for the rest."""

    # -- what must hold ------------------------------------------------------------------------------------------------

    def _lose_browser(self, browser: Browser, error: Exception) -> None:
        if not browser.lost:
            browser.lost = True
            browser.wire.producerState = "stopped"
            browser.connection.connectionLost(Failure(error))
        self._look()
        self.browsers.remove(browser)

    def _lose_sandbox(self, sandbox: Sandbox, error: Exception) -> None:
        self.sandboxes.remove(sandbox)
        sandbox.lost = True
        sandbox.wire.producerState = "stopped"
        sandbox.protocol.connectionLost(Failure(error))

    def settle(self) -> None:
        """Transports that the gate has aborted are lost; then everything that was sent is looked at."""
        self._look()
        for sandbox in [sandbox for sandbox in self.sandboxes if sandbox.wire.aborted]:
            self._lose_sandbox(sandbox, ConnectionAborted())
        for browser in [browser for browser in self.browsers if browser.wire.aborted]:
            self.seen["cut"] += 1
            self._lose_browser(browser, ConnectionAborted())
        self._look()

    def _look(self) -> None:
        known = {sandbox.protocol for sandbox in self.sandboxes}
        for protocol, wire in zip(self.bench.link.protocols, self.bench.link.wires, strict=True):
            if protocol not in known and wire.producerState != "stopped":
                self.sandboxes.append(Sandbox(protocol, wire))
        for sandbox in self.sandboxes:
            self._look_at_requests(sandbox)
        for browser in self.browsers:
            self._look_at_answers(browser)

    def _look_at_requests(self, sandbox: Sandbox) -> None:
        """Only what browsers asked for reaches a sandbox, whole and one after the other."""
        sandbox.received += sandbox.wire.take()
        while sandbox.received:
            if sandbox.body is None:
                head, end, sandbox.received = sandbox.received.partition(b"\r\n\r\n")
                assert end, "a head in parts"
                self._look_at_head(sandbox, head)
            body = sandbox.body
            if body is not None:
                asked = self.requests[int(sandbox.content.partition(b" ")[0])]
                sandbox.content += b"".join(map(bytes, body.feed(sandbox.received)))
                sandbox.received = bytes(body.rest)
                content = sandbox.content.partition(b" ")[2]
                assert len(content) <= LIMITS.body_bytes, "more content than may be"
                assert asked.content.startswith(content) and (content == asked.content or not body.done), "other content"
                sandbox.body = None if body.done else body

    def _look_at_head(self, sandbox: Sandbox, head: bytes) -> None:
        """Each request comes once, or once more where a kept stream closed under it, and after the answer to the one before."""
        assert sandbox.asked is None and not sandbox.answers, "two requests at once"
        (number,) = map(int, re.findall(rb"\r\nX-Number: (\d+)", head))
        asked = self.requests[number]
        assert not asked.refused, "forwarded though nobody may ask this"
        assert sandbox.session in (None, asked.session), "another session's stream"
        sandbox.session = asked.session
        asked.arrived += 1
        assert asked.arrived == 1 or (asked.arrived == 2 and asked.method in (b"GET", b"HEAD")), "forwarded twice"
        self.seen["forwarded again"] += asked.arrived == 2
        sandbox.asked, sandbox.content = number, b"%d " % number
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        if b"\r\nTransfer-Encoding: chunked" in head:
            sandbox.body = ChunkedBody(RefusedResponse)
        elif length is not None and int(length[1]):
            sandbox.body = LengthBody(int(length[1]))

    def _look_at_answers(self, browser: Browser) -> None:
        """Each answer is that of the oldest request without one; whoever asked for a close gets nothing after it."""
        browser.unread += browser.wire.take()
        while browser.unread.partition(b"\r\n\r\n")[1]:
            assert browser.asked, "an answer that nobody asked for"
            asked = browser.asked[0]
            found = read_answer(browser.unread, asked.method)
            if found is None:
                break
            number, status, content, browser.unread = found
            browser.asked.pop(0)
            assert number in (None, asked.number), "another request's answer"
            self.seen["gate's answer" if number is None else "own answer"] += 1
            if number is not None:
                whole = b"" if asked.method == b"HEAD" or status in (204, 304) else b"answer %d" % number
                assert content == whole or (asked.until_close and whole.startswith(content)), "another content"
            assert status in ((401, 408, 503) if asked.refused else (200, 204, 304, 404, 408, 413, 502, 503, 504)), status
            assert not (asked.closes or status in (408, 413)) or (browser.wire.closed and not browser.unread), "not closed"

    def nobody_is_forgotten(self) -> None:
        """Who is paused has somebody or something that will resume it; what waits has a deadline."""
        for browser in self.browsers:
            connection = browser.connection
            assert connection.due < NEVER, "no deadline"
            idle = connection._exchange is None and not connection._deciding and not browser.wire.full
            if idle or browser.wire.closed:
                assert browser.wire.producerState != "paused", "paused for good"
            if connection._exchange is not None and connection._holds & HOLD_FULL:
                assert isinstance(connection._exchange, Exchange)
                assert connection._exchange._upstream is not None and connection._exchange._upstream._full, "held for nobody"
        for sandbox in self.sandboxes:
            upstream = sandbox.protocol
            assert isinstance(upstream, UpstreamConnection)
            exchange = upstream._exchange
            if exchange is None:
                assert upstream.due < NEVER and not sandbox.wire.full and sandbox.wire.producerState == "producing", "not fit to be kept"
                assert sandbox.asked is None and sandbox.body is None and not sandbox.answers, "kept before its answer has ended"
            else:
                assert sandbox.wire.producerState == "producing" or exchange._front._full, "paused for nobody"  # type: ignore[attr-defined]

    def counts_are_right(self) -> None:
        """The pool's count is the number of streams that are open or being opened, and within the cap."""
        owners = self.bench.door.pool._owners.values()
        opening = sum(not opening.called for opening, _ in self.bench.link.pending)
        counted = sum(owner.connections for owner in owners)
        assert counted == len([one for one in self.sandboxes if not one.wire.aborted]) + opening, "miscounted"
        assert all(owner.connections <= self.limits.upstream_connections_per_sandbox for owner in owners)
        assert all(len(owner.waiting) <= LIMITS.upstream_waiting for owner in owners)
        assert len(self.bench.door.open) == len(self.browsers)

    def nothing_is_left(self) -> None:
        """When nothing happens any more every connection ends; then there is no count, no stream, no question and no timer."""
        if self.maybe(0.5):
            self.bench.pass_time(200)  # a deadline for each request that waits in line
            self.settle()
            assert not self.browsers, "a connection without end"
        for browser in list(self.browsers):
            self._lose_browser(browser, ConnectionDone())
        self.settle()
        self.bench.pass_time(6)
        self.settle()
        pool = self.bench.door.pool
        assert not pool._owners and not pool._open and not pool._idle, "the pool keeps something"
        assert not self.judge.asked and not self.bench.door.open
        assert self.bench.door.caps._open == 0 and not self.bench.door.caps._by_address
        self.bench.pass_time(1)
        assert self.bench.clock.getDelayedCalls() == [], "a timer is left"


class MachineTests(SynchronousTestCase):
    """The machine finds nothing."""

    def test_machine(self) -> None:
        """In any order of requests, answers, pauses, losses, late decisions, late streams and time."""
        seen: Counter[str] = Counter()
        for seed in range(WALKS):
            machine = Machine(seed)
            try:
                for _ in range(STEPS):
                    machine.step()
                machine.nothing_is_left()
            except Exception as error:
                error.add_note(f"seed {seed}")
                raise
            seen += machine.seen
        for what in ("own answer", "gate's answer", "forwarded again", "cut"):
            self.assertGreater(seen[what], WALKS / 40, f"{what}: the machine has hardly seen it")
