"""
A browser's connection that becomes a stream: everything is done before 101 is said, and then the channel has the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from coral_gate.edge.connection import HOLD_FULL, HOLD_UPSTREAM, Wait
from coral_gate.edge.deadlines import NEVER, ticks
from coral_gate.errors import Fault, Unavailable
from coral_gate.http1.body import Piece
from coral_gate.http1.rules import RefusedRequest, Rule

if TYPE_CHECKING:
    from coral_gate.channels.plan import Opened, Stream, Upgrading
    from coral_gate.edge.listener import FrontConnection
    from coral_gate.http1.head import RequestHead
    from coral_gate.model import Allowed, Asker


class Upgrade:
    """
    One upgrade, and the stream that comes of it; to the channel it is the `channels.plan.Browser`.

    :ivar request_done: never, see `exchange.Exchange`: when it waits, and for what, it says itself.
    :ivar received: nothing, see `exchange.Exchange`.
    :ivar send: the transport's own write: nothing stands between on the way of a stream's bytes.
    """

    __slots__ = ("_allowed", "_channel", "_front", "_full", "_head", "_opening", "_over", "_stalled_at", "_stream", "_wake_at", "asker",
                 "received", "request_done", "send")  # fmt: skip

    def __init__(self, front: FrontConnection, channel: Upgrading, head: RequestHead, allowed: Allowed) -> None:
        self._front = front
        self._channel = channel
        self._head = head
        self._allowed = allowed
        self._opening: Deferred[Opened] | None = None
        self._stream: Stream | None = None
        self._full = self._over = False
        self._wake_at = self._stalled_at = NEVER
        self.asker: Asker = front.asker
        self.received = 0
        self.request_done = False
        self.send: Callable[[bytes], None] = front.transport.write

    # -- before 101 ----------------------------------------------------------------------------------------------------

    def begin(self, early: Piece) -> None:
        """
        Start.

        :param early: what came after the head in the same read: a browser sends nothing before it has seen 101.
        """
        if early or self._head.has_content:
            self.fail(RefusedRequest(Rule.EARLY))
            return
        if self._front.leaving:  # it was decided late: whoever is open has been told already
            self.fail(Unavailable())
            return
        self._front.hold(HOLD_UPSTREAM)
        self._front.arm(Wait.CONNECT)
        self._opening = Deferred.fromCoroutine(self._open())
        self._opening.addCallbacks(self._opened, self._not_opened)

    async def _open(self) -> Opened:
        return await self._channel.open(self._head, self._allowed, self._front.asker)

    def _opened(self, opened: Opened) -> None:
        self._opening = None
        if self._over:
            opened.discard()
            return
        self.send(opened.switching)
        try:
            self._stream = stream = opened.start(self)
        except Exception:  # nothing else would end what has been opened
            _log.failure("a stream could not begin")
            opened.discard()
            self._front.abort()
            return
        if not self._over:
            self._begun(stream)

    def _begun(self, stream: Stream) -> None:
        if self._front.closing:
            return
        self._front.become(stream.received)
        self._front.unhold(HOLD_UPSTREAM)
        if self._full:  # by what it sent as it began
            stream.full()
        self._rearm()

    def _not_opened(self, failure: Failure) -> None:
        self._opening = None
        if not failure.check(Fault, CancelledError):
            _log.failure("a channel failed in a way that it does not say it can", failure)
        self.fail(failure.value if isinstance(failure.value, Fault) else Unavailable())

    def fail(self, fault: Fault) -> None:
        """End with a fault, over HTTP; once a stream has begun, it ends by its own means."""
        if self._over:
            return
        begun = self._stream is not None
        self.abandon()
        if begun:
            self._front.cut(fault)
        else:
            self._front.unhold(HOLD_UPSTREAM)
            self._front.refuse(fault, self._head, keep=False)

    # -- the connection's side -----------------------------------------------------------------------------------------

    def from_client(self, piece: Piece) -> None:
        """Bytes that came before the stream began; afterwards the stream has them at once."""
        if self._stream is None:
            self.fail(RefusedRequest(Rule.EARLY))

    def client_full(self) -> None:
        """The browser does not take what it is sent."""
        self._full = True
        self._stalled_at = self._front.ticks_from_now(Wait.READER)
        if self._stream is not None:
            self._stream.full()
            self._rearm()

    def client_drained(self) -> None:
        """It takes again."""
        self._full = False
        self._stalled_at = NEVER
        if self._stream is not None:
            self._stream.drained()
            self._rearm()

    def expired(self) -> bool:
        """
        A deadline has come.

        :return: False where it is not this stream's to answer, since it has not begun.
        """
        if self._stream is None:
            return False
        tick = self._front.tick
        if tick >= self._stalled_at:
            if not self._front.reads(Wait.READER):
                self._front.stalled()
                return True
            self._stalled_at = self._front.ticks_from_now(Wait.READER)
        if tick >= self._wake_at:
            self._wake_at = NEVER
            self._stream.woken()
        self._rearm()
        return True

    def leave(self) -> None:
        """The daemon is stopping."""
        if self._stream is not None:
            self._stream.leave()
        else:
            self.fail(Unavailable())

    def abandon(self) -> None:
        """The browser is gone, or this must end."""
        if self._over:
            return
        self._over = True
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
        if self._stream is not None:
            self._stream.lost()

    # -- the channel's side, see `channels.plan.Browser` ----------------------------------------------------------------

    def pause(self) -> None:
        """Read no more of what the browser sends."""
        self._front.hold(HOLD_FULL)

    def resume(self) -> None:
        """Read again."""
        self._front.unhold(HOLD_FULL)

    def wake_in(self, seconds: float) -> None:
        """See `channels.plan.Browser`."""
        self._wake_at = self._front.tick + ticks(seconds)
        if self._stream is not None:
            self._rearm()

    def see_off(self, abort: Callable[[], None]) -> None:
        """See `channels.plan.Browser`."""
        self._front.see_off(abort)

    def finish(self, answered: bool = False) -> None:
        """Send what is left, then close."""
        if not self._over:
            self._front.finish_stream(answered)

    def abort(self) -> None:
        """Close at once."""
        if not self._over:
            self._front.abort()

    def _rearm(self) -> None:
        if not self._over and not self._front.closing:
            self._front.due = min(self._wake_at, self._stalled_at)


_log = Logger()
