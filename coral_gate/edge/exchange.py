"""
One request's life between a browser's connection and a sandbox's: a plain state machine that moves bytes.

Nothing here parses and nothing here decides: the head was read by `http1`, the decision made by `gate`, what goes on was
written by a channel. Content streams both ways; what the one side does not take, the other is not asked for.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from coral_gate.edge.pool import UpstreamPool
from coral_gate.edge.upstream import UpstreamConnection
from coral_gate.errors import AnswerTooLarge, BodyTooLarge, Fault, Unavailable, UpstreamFault
from coral_gate.http1.body import LAST_CHUNK, BodyReader, ChunkedBody, LengthBody, Piece, chunk
from coral_gate.http1.head import RequestHead, ResponseHead
from coral_gate.http1.rules import RefusedRequest

if TYPE_CHECKING:
    from coral_gate.channels.plan import Answering, Forwarding, Plan
    from coral_gate.edge.listener import FrontConnection
    from coral_gate.model import Allowed

_WITH_LENGTH = frozenset({b"POST", b"PUT", b"PATCH"})
_RETRIED = frozenset({b"GET", b"HEAD", b"OPTIONS"})


class Exchange:
    """
    One request and its answer.

    :ivar plan: what the channel wants.
    :ivar bodyless: the answer to this method has no content.
    :ivar request_done: all of the request has been received.
    :ivar answering: the answer's head has been sent to the browser.
    :ivar received: octets of the request's content so far.
    """

    __slots__ = (
        "_allowed", "_answer_chunked", "_body", "_channel", "_collected", "_early", "_front", "_head", "_keep", "_lines", "_opening",
        "_over", "_planning", "_pool", "_retried", "_upstream", "answering", "bodyless", "plan", "received", "request_done",
    )  # fmt: skip

    def __init__(self, front: FrontConnection, pool: UpstreamPool, channel: Forwarding, head: RequestHead, allowed: Allowed) -> None:
        self._front = front
        self._pool = pool
        self._channel = channel
        self._head = head
        self._allowed = allowed
        self._upstream: UpstreamConnection | None = None
        self._opening: Deferred[None] | None = None
        self._planning: Deferred[Plan] | None = None
        self._collected: bytearray | None = None
        self._lines: list[bytes] = []
        self._early: Piece = b""
        self._answer_chunked = False
        self._keep = head.keep_alive
        self._retried = self._over = self.answering = False
        self.bodyless = head.method == b"HEAD"
        self.received = 0
        self._body: BodyReader | None = None
        if head.chunked:
            self._body = ChunkedBody(RefusedRequest)
        elif head.length > 0:
            self._body = LengthBody(head.length)
        self.request_done = self._body is None

    def begin(self, early: Piece) -> None:
        """
        Start.

        :param early: what came after the head in the same read.
        """
        if self.request_done and early:
            self._front.stash(early)
        else:
            self._early = early
        try:
            plan = self._channel.plan(self._head, self._allowed, self._front.asker)
        except Fault as fault:
            self.fail(fault)
            return
        if isinstance(plan, Coroutine):
            self._plan_later(plan)
        else:
            self._planned(plan)

    def _plan_later(self, plan: Coroutine[Any, Any, Plan]) -> None:
        """Something has to be asked first: read nothing meanwhile."""
        self._front.hold_for_upstream()
        self._planning = planning = Deferred.fromCoroutine(plan)
        planning.addCallbacks(self._planned, self._unplanned)

    def _unplanned(self, failure: Failure) -> None:
        if self._over:
            return
        if not failure.check(Fault, CancelledError):
            _log.failure("a channel failed in a way that it does not say it can", failure)
        self.fail(failure.value if isinstance(failure.value, Fault) else Unavailable())

    def _planned(self, plan: Plan) -> None:
        self._planning = None
        if self._over:
            return
        self.plan = plan
        if self._head.length > self.plan.body_bytes or (self._head.chunked and not self.plan.body_bytes):
            self.fail(BodyTooLarge())
            return
        self._open(fresh=False)

    def _open(self, fresh: bool) -> None:
        self._front.hold_for_upstream()
        opening = self._pool.acquire(self, fresh)
        if self._upstream is None and not self._over:
            self._opening = opening

    # -- the upstream's side -------------------------------------------------------------------------------------------

    def upstream_ready(self, upstream: UpstreamConnection) -> None:
        """See `upstream.Exchange`."""
        if self._over:
            upstream.abort()
            return
        self._opening = None
        self._upstream = upstream
        upstream.send(self._request_head())
        self._front.unhold_for_upstream(waits=self.request_done)
        if self._head.expects_continue and not self._early:
            self._front.say_continue()
        if self._early:
            early, self._early = self._early, b""
            self.from_client(early)

    def upstream_failed(self, fault: Fault) -> None:
        """See `upstream.Exchange`."""
        self._opening = None
        self.fail(fault)

    def answered(self, head: ResponseHead, length: int, pieces: list[Piece], done: bool) -> None:
        """See `upstream.Exchange`."""
        answering = self.plan.answering
        try:
            lines = self._channel.answer(head, self._allowed) if answering is None else answering.head(head)
            if answering is not None:
                answering.look(pieces)
        except UpstreamFault as fault:
            self.fail(fault)
            return
        if answering is not None and answering.most and not self.bodyless:
            self._collected, self._lines = bytearray(), lines
            self._collect(answering, pieces, done)
            return
        if not self.request_done:
            self._keep = False
        self.answering = True
        out: list[Piece] = [b"\r\n".join(lines), self._answer_framing(head, length)]
        self._front.answering(self.request_done)
        self._pass_on(out, pieces, done)

    def content(self, pieces: list[Piece], done: bool) -> None:
        """See `upstream.Exchange`."""
        answering = self.plan.answering
        if answering is not None:
            try:
                answering.look(pieces)
            except UpstreamFault as fault:
                self.fail(fault)
                return
            if self._collected is not None:
                self._collect(answering, pieces, done)
                return
        self._front.progressed(self.request_done)
        self._pass_on([], pieces, done)

    def _collect(self, answering: Answering, pieces: list[Piece], done: bool) -> None:
        """Keep content until there is all of it; the deadline for the answer goes on, since the browser has heard nothing yet."""
        assert self._collected is not None
        for piece in pieces:
            self._collected += piece
        if len(self._collected) > answering.most:
            self.fail(AnswerTooLarge())
            return
        if not done:
            return
        try:
            content = answering.whole(bytes(self._collected))
        except UpstreamFault as fault:
            self.fail(fault)
            return
        self._keep = self._keep and self.request_done
        self.answering = True
        framing = b"\r\nContent-Length: %d%b\r\n\r\n" % (len(content), self._closing())
        self._front.answering(self.request_done)
        self._pass_on([b"\r\n".join(self._lines), framing, content], [], done)

    def upstream_lost(self, fault: Fault, stale: bool) -> None:
        """See `upstream.Exchange`."""
        self._upstream = None
        self._front.unhold_for_full()
        if stale and not self._retried and self._head.method in _RETRIED and not self._head.has_content:
            self._retried = True  # it closed while idle, and this method may be sent again (RFC 9110 §9.2.2)
            self._open(fresh=True)
            return
        self.fail(fault)

    def upstream_full(self) -> None:
        """See `upstream.Exchange`."""
        self._front.hold_for_full()

    def upstream_drained(self) -> None:
        """See `upstream.Exchange`."""
        self._front.unhold_for_full()

    # -- the browser's side --------------------------------------------------------------------------------------------

    def from_client(self, piece: Piece) -> None:
        """Bytes that came after the head."""
        if self._body is None or self.request_done:
            self._front.stash(piece)
            return
        if self._upstream is None:
            self._early = bytes(self._early) + bytes(piece)
            return
        try:
            pieces = self._body.feed(piece)
        except RefusedRequest as fault:
            self.fail(fault)
            return
        self.received += sum(map(len, pieces))
        if self.received > self.plan.body_bytes:
            self.fail(BodyTooLarge())
            return
        self._forward(self._upstream, self._body, pieces)

    def client_full(self) -> None:
        """The browser does not take what it is sent; ask the sandbox for no more."""
        if self._upstream is not None:
            self._upstream.pause()

    def client_drained(self) -> None:
        """It takes again."""
        if self._upstream is not None:
            self._upstream.resume()

    def abandon(self) -> None:
        """The browser is gone, or this must end: nothing more is sent or read."""
        self._over = True
        planning, self._planning = self._planning, None
        if planning is not None:
            planning.cancel()
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abort()

    def fail(self, fault: Fault) -> None:
        """End with a fault: say so if the answer has not begun, else cut it short so that nobody takes it for whole."""
        if self._over:
            return
        answering = self.answering
        self.abandon()
        if answering:
            self._front.cut(fault)
        else:
            self._front.refuse(fault, self._head, self._keep and self.request_done)

    # -- writing -------------------------------------------------------------------------------------------------------

    def _request_head(self) -> bytes:
        head = self._head
        if head.chunked:
            framing = b"\r\nTransfer-Encoding: chunked\r\n\r\n"
        elif head.length > 0 or head.method in _WITH_LENGTH:
            framing = b"\r\nContent-Length: %d\r\n\r\n" % max(0, head.length)
        else:
            framing = b"\r\n\r\n"
        return b"\r\n".join(self.plan.lines) + framing

    def _forward(self, upstream: UpstreamConnection, body: BodyReader, pieces: list[Piece]) -> None:
        if self._head.chunked:
            pieces = chunk(pieces)
            if body.done:
                pieces.append(LAST_CHUNK)
        if body.done:
            self.request_done = True
            if body.rest:
                self._front.stash(body.rest)
            self._front.request_finished(self.answering)
        if pieces:
            upstream.send(b"".join(pieces))

    def _answer_framing(self, head: ResponseHead, length: int) -> bytes:
        """What frames the answer's content, and whether the connection stays (RFC 9112 §6, §9.6)."""
        if self.bodyless or head.status == 304:
            framing = b"\r\nContent-Length: %d" % head.length if head.length >= 0 else b""
        elif head.status == 204:
            framing = b""
        elif length >= 0:
            framing = b"\r\nContent-Length: %d" % length
        elif self._head.minor == 1:
            self._answer_chunked = True
            framing = b"\r\nTransfer-Encoding: chunked"
        else:
            self._keep = False
            framing = b""
        return framing + self._closing() + b"\r\n\r\n"

    def _closing(self) -> bytes:
        if not self._keep or self._front.leaving:
            self._keep = False
            return b"\r\nConnection: close"
        return b""

    def _pass_on(self, out: list[Piece], pieces: list[Piece], done: bool) -> None:
        if self._answer_chunked:
            out += chunk(pieces)
            if done:
                out.append(LAST_CHUNK)
        else:
            out += pieces
        if out:
            self._front.send(b"".join(out) if len(out) > 1 else bytes(out[0]))
        if done:
            self._finish()

    def _finish(self) -> None:
        upstream, self._upstream = self._upstream, None
        self._over = True
        if upstream is not None:
            if self.request_done:
                upstream.release()
            else:
                upstream.abort()  # the rest of the content must not be taken for a request
        self._front.exchange_over(self._keep and self.request_done)


_log = Logger()
