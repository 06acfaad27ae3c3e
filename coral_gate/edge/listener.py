"""
A browser's connection: heads read one at a time, each decided before anything else happens, every wait under a deadline.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Coroutine

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IHandshakeListener, IPushProducer
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from coral_gate.edge.answers import CONTINUE, answer
from coral_gate.edge.connection import HOLD_ANY, HOLD_DECISION, HOLD_FULL, HOLD_STASH, HOLD_UPSTREAM, HeldConnection, Wait
from coral_gate.edge.deadlines import SeeingOff
from coral_gate.edge.door import Door
from coral_gate.edge.exchange import Exchange
from coral_gate.edge.limits import address_text
from coral_gate.edge.upgrade import Upgrade
from coral_gate.errors import Fault, SandboxStarting, TooSlow, Unavailable, UpstreamTooSlow
from coral_gate.gate.judge import Decision, Later
from coral_gate.gate.policy import Redirect, Refusal
from coral_gate.http1.body import Piece
from coral_gate.http1.head import RequestHead, find_head, read_request
from coral_gate.http1.rules import RefusedRequest
from coral_gate.model import Allowed, Asker

_serials = itertools.count(1)
_AGAIN = (("Retry-After", "3"), ("Refresh", "3"))
"""A page that a person waits for tries again by itself."""


def _drop(data: bytes) -> None:
    """What comes after a stream has ended."""


_RUN = secrets.token_hex(4)


@implementer(IPushProducer, IHandshakeListener)
class FrontConnection(HeldConnection):
    """
    One connection of a browser.

    :ivar asker: who this is, as far as a connection knows.
    """

    def __init__(self, door: Door, address: str, tls: bool) -> None:
        super().__init__(door.deadlines, door.ticks, tls)
        self._door = door
        self._server_name: bytes | None = None
        self._buffer = b""
        self._stash: Piece = b""
        self._exchange: Exchange | Upgrade | None = None
        self._decision: Deferred[Decision] | None = None
        self._reading = False
        self._deciding = False
        self._full = False
        self.asker = Asker(next(_serials), address)

    # -- the transport's side ------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Start the clock."""
        self._door.open.add(self)
        self._door.counters.connections += 1
        self.transport.registerProducer(self, True)  # type: ignore[attr-defined]  # every stream's transport is a consumer too
        self._door.deadlines.watch(self)
        self.arm(Wait.HANDSHAKE if self._tls else Wait.HEAD)

    def handshakeCompleted(self) -> None:
        """The TLS handshake is done: remember the name that it was for."""
        self._server_name = self.transport.getHandle().get_servername()  # type: ignore[attr-defined]  # only called by TLS transports
        self.arm(Wait.HEAD)

    def dataReceived(self, data: bytes) -> None:
        """Bytes of the browser: a head, content, or nothing that we want any more."""
        if self._exchange is not None:
            self._exchange.from_client(data)
        elif self._closing:
            return  # read and dropped, see `close`
        elif self._full or self._deciding:
            self.stash(data)  # what is answered now would only wait in memory, or come out of turn
        else:
            self._read_heads(data)

    def connectionLost(self, reason: Failure = None) -> None:  # type: ignore[assignment]  # Twisted's own signature
        """The browser is gone."""
        self._closing = True
        self._door.deadlines.forget(self)
        self._door.caps.leave(self.asker.address)
        self._give_up()
        self._door.gone(self)

    def pauseProducing(self) -> None:
        """The transport's buffer toward the browser is full."""
        self._full = True
        if self._exchange is not None:
            self._exchange.client_full()
            if self._exchange.request_done:
                self.arm(Wait.READER)

    def resumeProducing(self) -> None:
        """It has room again."""
        self._full = False
        if self._exchange is None:
            self._next()
            return
        self._exchange.client_drained()
        if self._exchange.request_done:
            self.arm(Wait.CONTENT)

    def stopProducing(self) -> None:
        """The connection is gone; connectionLost follows."""

    # -- reading heads -------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        """Go on with what came after the last request."""
        if self._reading or self._closing or self._full or self._deciding or self._exchange is not None:
            return
        data, self._stash = self._stash, b""
        self.unhold(HOLD_ANY)
        if data:
            self._read_heads(data)

    def _read_heads(self, data: Piece) -> None:
        """Read heads and begin what they ask for, until one is not whole, or one has to wait."""
        self._reading = True
        try:
            while data and self._read_head(data) and self._exchange is None and not self._closing:
                if self._full or self._deciding:
                    break
                data, self._stash = self._stash, b""
                self.unhold(HOLD_STASH)
        finally:
            self._reading = False

    def _read_head(self, data: Piece) -> bool:
        """Read one head and begin what it asks for; False while it is not whole, or where it cannot be read."""
        seen = len(self._buffer)
        buffer = self._buffer + data if seen else bytes(data)
        try:
            end = find_head(buffer, self._door.head_limits, RefusedRequest, seen)
            if end < 0:
                if not seen:
                    self.arm(Wait.HEAD)
                self._buffer = buffer
                return False
            head = read_request(buffer[:end], self._door.head_limits)
        except RefusedRequest as fault:
            self._refuse_unread(fault)
            return False
        self._buffer = b""
        self._begin(head, buffer[end + 4 :])
        return True

    def _begin(self, head: RequestHead, rest: Piece) -> None:
        self._door.counters.requests += 1
        self.asker.requests += 1
        decision = self._door.judge.judge(head, self._server_name, self.asker)
        if isinstance(decision, Coroutine):
            self._begin_later(head, rest, decision)
        else:
            self._decided(decision, head, rest)

    def _begin_later(self, head: RequestHead, rest: Piece, decision: Later) -> None:
        """The store is asked: read nothing meanwhile."""
        self._deciding = True
        if rest:
            self._stash = rest
        self.hold(HOLD_DECISION)
        self.arm(Wait.DECISION)
        self._decision = Deferred.fromCoroutine(_asked(decision))
        self._decision.addCallbacks(self._decided_late, self._undecided, (head,), {}, (head,), {})

    def _decided_late(self, decision: Decision, head: RequestHead) -> None:
        self._deciding, self._decision = False, None
        if self._closing:
            return
        rest, self._stash = self._stash, b""
        self._holds &= ~HOLD_STASH
        before, self._reading = self._reading, True  # what is answered at once must not begin the next request from here
        try:
            self._decided(decision, head, rest)
        finally:
            self._reading = before
        self.unhold(HOLD_DECISION)
        self._next()

    def _undecided(self, failure: Failure, head: RequestHead) -> None:
        """Nobody can say who asks: nobody may pass."""
        self._deciding, self._decision = False, None
        if self._closing:
            return
        if not failure.check(Fault, CancelledError):
            _log.failure("a decision failed in a way that it does not say it can", failure)
        fault = failure.value if isinstance(failure.value, Fault) else Unavailable()
        self._count_refusal(fault.word)
        self._answer(fault.status, fault.sentence, head, keep=False)
        self.close()

    def _decided(self, decision: Decision, head: RequestHead, rest: Piece) -> None:
        door = self._door
        if isinstance(decision, Allowed):
            upgrading = door.upgrading.get(decision.channel)
            if upgrading is not None:
                self._exchange = upgrade = Upgrade(self, upgrading, head, decision)
                upgrade.begin(rest)
                return
            self._exchange = exchange = Exchange(self, door.pool, door.channels[decision.channel], head, decision)
            exchange.begin(rest)
        elif isinstance(decision, Redirect):
            self._redirect(decision, head, rest)
        else:
            self._refuse_head(decision, head, rest)

    # -- the exchange's side -------------------------------------------------------------------------------------------

    @property
    def leaving(self) -> bool:
        """Whether this answer is the last on this connection."""
        return self._door.leaving

    def send(self, octets: bytes) -> None:
        """Send some of an answer."""
        self.transport.write(octets)

    def say_continue(self) -> None:
        """Ask a client that waits for it to send its content."""
        self.transport.write(CONTINUE)

    def stash(self, piece: Piece) -> None:
        """Keep bytes that belong to a later request, and read no further until it is their turn."""
        self._stash = bytes(self._stash) + bytes(piece) if self._stash else piece
        self.hold(HOLD_STASH)

    def hold_for_upstream(self) -> None:
        """Read nothing while a stream to the sandbox is being opened."""
        self.arm(Wait.CONNECT)
        if self._exchange is None or not self._exchange.request_done:
            self.hold(HOLD_UPSTREAM)

    def unhold_for_upstream(self, waits: bool) -> None:
        """The stream is open. With `waits`, the request is sent and the answer has to come."""
        self.unhold(HOLD_UPSTREAM)
        self._mark = 0
        self.arm(Wait.ANSWER if waits else Wait.BODY)

    def hold_for_full(self) -> None:
        """The sandbox does not take content; ask the browser for no more."""
        self.hold(HOLD_FULL)

    def unhold_for_full(self) -> None:
        """It takes again."""
        self.unhold(HOLD_FULL)

    def request_finished(self, answering: bool) -> None:
        """All of the request has been passed on."""
        self.arm(Wait.READER if self._full else Wait.CONTENT if answering else Wait.ANSWER)

    def answering(self, request_done: bool) -> None:
        """The answer's head is here."""
        if request_done:
            self.arm(Wait.CONTENT)

    def progressed(self, request_done: bool) -> None:
        """More of the answer is here."""
        if request_done and not self._full:
            self.arm(Wait.CONTENT)

    def exchange_over(self, keep: bool) -> None:
        """The answer has been sent whole."""
        self._exchange = None
        if not keep or self._door.leaving:
            self.close()
            return
        self.arm(Wait.IDLE)
        self._next()

    def refuse(self, fault: Fault, head: RequestHead, keep: bool) -> None:
        """Answer a request with a fault instead."""
        self._count_refusal(fault.word)
        status, sentence = (
            (fault.rule.value.status, fault.rule.value.text) if isinstance(fault, RefusedRequest) else (fault.status, fault.sentence)
        )
        # Only a start ends by itself: a page that tried again for any other reason would keep the session for as long as that lasts.
        again = isinstance(fault, SandboxStarting) and head.method == b"GET"
        self._answer(status, sentence, head, keep, _AGAIN if again else None)
        self.exchange_over(keep)

    def cut(self, fault: Fault) -> None:
        """End an answer that has begun and cannot be finished: the browser must see that it is not whole."""
        self._count_refusal(fault.word)
        self.abort()

    def leave(self) -> None:
        """Close as soon as nothing is being served."""
        if isinstance(self._exchange, Upgrade):
            self._exchange.leave()
        elif self._exchange is None and not self._deciding and not self._closing:
            self.close()

    # -- the stream's side, see `upgrade.Upgrade` ----------------------------------------------------------------------

    @property
    def tick(self) -> int:
        """What the clock of deadlines says."""
        return self._deadlines.tick

    @property
    def closing(self) -> bool:
        """Whether nothing more is served here."""
        return self._closing

    def ticks_from_now(self, wait: Wait) -> int:
        """By which tick a thing must come that is waited for from now on."""
        return self._deadlines.tick + self._ticks[wait]

    def become(self, received: Callable[[bytes], None]) -> None:
        """From now on a stream has what the browser sends, without a step between."""
        self.dataReceived = received  # type: ignore[method-assign,assignment]  # looked up on the instance by every transport

    def see_off(self, abort: Callable[[], None]) -> None:
        """Call `abort` once another connection has had as long to close as this one would."""
        self._deadlines.watch(SeeingOff(self._deadlines, self.ticks_from_now(Wait.LINGER), abort))

    def finish_stream(self, answered: bool) -> None:
        """
        The stream is over: send what is left, then close, and drop what still comes.

        :param answered: the browser has said already that it is over.

        Inside TLS the browser's own word is waited for: one that finds the connection closed before it has answered the close
        frame takes the end for a broken one (RFC 6455 §7.1.1), and half of a connection cannot be closed there.
        """
        self.become(_drop)
        if answered or not self._tls:
            self.close()
        elif not self._closing:
            self._closing = True
            self.unhold(HOLD_ANY)
            self.transport.unregisterProducer()  # type: ignore[attr-defined]  # every stream's transport is a consumer too
            self._mark = 0
            self.arm(Wait.LINGER)
            self.become(self._answered_close)

    def _answered_close(self, data: bytes) -> None:
        self.become(_drop)
        self.transport.loseConnection()

    def stalled(self) -> None:
        """The browser reads nothing."""
        self._door.counters.timed_out += 1
        self._door.refused(f"deadline-{Wait.READER.name.lower()}", self.asker)
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        self.become(_drop)
        self._closing = True
        self._give_up()
        self.transport.abortConnection()  # type: ignore[attr-defined]  # every stream's transport has it

    def _give_up(self) -> None:
        """Whatever is being done for this connection is done for nobody."""
        decision, self._decision = self._decision, None
        if decision is not None:
            decision.cancel()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.abandon()

    # -- refusing ------------------------------------------------------------------------------------------------------

    def _refuse_unread(self, fault: RefusedRequest) -> None:
        """The head cannot be read, so nobody knows where it ends: answer and close."""
        self._buffer = b""
        rule = fault.rule.value
        self._count_refusal(rule.word)
        self._answer(rule.status, rule.text, None, keep=False)
        self.close()

    def _refuse_head(self, refusal: Refusal, head: RequestHead, rest: Piece) -> None:
        """The request is not served; what follows on the connection is, unless its content would have to be read first."""
        self._count_refusal(refusal.word)
        keep = head.keep_alive and not head.has_content and not self._door.leaving and refusal is not Refusal.NOT_OURS
        self._answer(refusal.status, refusal.sentence, head, keep)
        self._answered(keep, rest)

    def _redirect(self, redirect: Redirect, head: RequestHead, rest: Piece) -> None:
        """Send the browser elsewhere."""
        keep = head.keep_alive and not head.has_content and not self._door.leaving
        cookies = () if redirect.cookie is None else (("Set-Cookie", redirect.cookie.decode("ascii")),)
        fields = (("Location", redirect.location.decode("ascii")), *cookies)
        self.transport.write(answer(303, "", self._request_id(), accept=None, keep_alive=keep, bodyless=False, fields=fields))
        self._answered(keep, rest)

    def _answered(self, keep: bool, rest: Piece) -> None:
        """The gate itself has answered."""
        if not keep:
            self.close()
            return
        self.arm(Wait.IDLE)
        if rest:
            self.stash(rest)

    def _answer(
        self, status: int, sentence: str, head: RequestHead | None, keep: bool, more: tuple[tuple[str, str], ...] | None = None
    ) -> None:
        octets = answer(
            status, sentence, self._request_id(), accept=head.value(b"accept") if head is not None else None, keep_alive=keep,
            bodyless=head is not None and head.method == b"HEAD", fields=self._fields(status, head) if more is None else more,
        )  # fmt: skip
        self.transport.write(octets)

    def _fields(self, status: int, head: RequestHead | None) -> tuple[tuple[str, str], ...]:
        """What the status asks for besides (RFC 9110 §15)."""
        if status == 401:
            return (("WWW-Authenticate", 'Session realm="Coral Gate"'),)
        if status == 410:
            return (("Clear-Site-Data", '"cookies", "storage", "cache"'),)
        if status == 431 and self._door.judge.is_sandbox(self._server_name):
            return (("Clear-Site-Data", '"cookies"'),)  # a page can set more than any head may hold, for every sandbox at once
        if status == 405 and head is not None:
            return (("Allow", ", ".join(sorted(method.decode("ascii") for method in self._door.judge.methods(head)))),)
        if status == 426:
            return (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))  # RFC 6455 §4.4
        return (("Retry-After", "1"),) if status in (429, 503) else ()

    def _request_id(self) -> str:
        return f"{_RUN}-{self.asker.serial:x}-{self.asker.requests:x}"

    def _count_refusal(self, word: str) -> None:
        self._door.counters.refused += 1
        self._door.refused(word, self.asker)

    # -- holding, waiting, closing -------------------------------------------------------------------------------------

    def expired(self) -> None:
        """What was waited for has not come."""
        if isinstance(self._exchange, Upgrade) and not self._closing and self._exchange.expired():
            return
        wait = self._wait
        if self._still_moving(wait):
            self.arm(self._wait)
            return
        self._door.counters.timed_out += 1
        exchange = self._exchange
        if wait is Wait.BODY and exchange is not None:
            exchange.fail(UpstreamTooSlow("upstream-takes-nothing") if self._holds & HOLD_FULL else TooSlow("body-too-slow"))
        elif wait in (Wait.CONNECT, Wait.ANSWER, Wait.CONTENT) and exchange is not None:
            exchange.fail(UpstreamTooSlow(f"deadline-{wait.name.lower()}"))
        elif wait is Wait.DECISION and self._decision is not None:
            self._decision.cancel()
        elif wait is Wait.HEAD and self._buffer:
            self._count_refusal("head-too-slow")
            self._answer(TooSlow.status, TooSlow.sentence, None, keep=False)
            self.close()
        elif wait in (Wait.IDLE, Wait.HEAD):
            self.close()
        else:
            self._door.refused(f"deadline-{wait.name.lower()}", self.asker)
            self.abort()

    def _still_moving(self, wait: Wait) -> bool:
        """Whether what is waited for has come in part, as much as may be asked."""
        if wait is Wait.BODY and self._exchange is not None:
            times, received, before = self._door.times, self._exchange.received, self._mark
            self._mark = received
            least = 0 if self._holds & HOLD_FULL else times.body_minimum_bytes_per_s * times.body_stall_s
            return received - before >= max(1, least)
        return wait in (Wait.READER, Wait.LINGER) and self.reads(wait)


class FrontFactory(Factory):
    """
    The factory of one listener: give it to any Twisted endpoint, behind TLS or not.

    :param tls: connections are inside TLS, and are bound to the name that they were opened for.
    """

    noisy = False

    def __init__(self, door: Door, tls: bool) -> None:
        self.door = door
        self._tls = tls

    def buildProtocol(self, addr: IAddress | None) -> FrontConnection | None:
        """A connection, or None where there are too many."""
        address = address_text(addr)
        if self.door.leaving or not self.door.caps.enter(address):
            self.door.counters.capped += 1
            return None
        return FrontConnection(self.door, address, self._tls)


async def _asked(decision: Later) -> Decision:
    return await decision


_log = Logger()
