"""
A connection that can be held, waited for and closed, whatever is said on it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Protocol

from coral_gate.edge.deadlines import NEVER, Deadlines
from coral_gate.edge.limits import unsent_bytes


class Wait(enum.Enum):
    """What a connection waits for, and by when it must come: the names in `[deadlines]`."""

    HANDSHAKE = "handshake_s"
    HEAD = "head_s"
    DECISION = "decide_s"
    IDLE = "idle_s"
    BODY = "body_stall_s"
    CONNECT = "upstream_connect_s"
    ANSWER = "upstream_head_s"
    CONTENT = "upstream_stall_s"
    READER = "reader_stall_s"
    LINGER = "linger_s"


HOLD_UPSTREAM, HOLD_FULL, HOLD_STASH, HOLD_DECISION, HOLD_ANY = 1, 2, 4, 8, 15
"""Why nothing is read: a stream is being opened, the sandbox is full, a later request is here, a decision is to come."""


class HeldConnection(Protocol):
    """
    The mechanics of a connection.

    :param ticks: how long each wait may last.
    :param tls: it is inside TLS, where half a connection cannot be closed.
    :ivar due: see `deadlines.Watched`.
    """

    transport: ITransport

    def __init__(self, deadlines: Deadlines, ticks: Mapping[Wait, int], tls: bool) -> None:
        self._deadlines = deadlines
        self._ticks = ticks
        self._tls = tls
        self._holds = 0
        self._closing = False
        self._wait = Wait.HANDSHAKE
        self._mark = 0
        self.due = NEVER

    def hold(self, why: int) -> None:
        """Read nothing, for one reason more."""
        if not self._holds:
            self.transport.pauseProducing()  # type: ignore[attr-defined]  # every stream's transport is a producer too
        self._holds |= why

    def unhold(self, why: int) -> None:
        """Read again, if that was the last reason not to."""
        if self._holds and not self._holds & ~why:
            self.transport.resumeProducing()  # type: ignore[attr-defined]  # every stream's transport is a producer too
        self._holds &= ~why

    def arm(self, wait: Wait) -> None:
        """Wait for something, from now on."""
        self._wait = wait
        self.due = self._deadlines.tick + self._ticks[wait]

    def close(self) -> None:
        """Send what is left, then close; read and drop what comes meanwhile, so that no reset destroys the answer (RFC 9112 §9.6)."""
        if self._closing:
            return
        self._closing = True
        self.unhold(HOLD_ANY)
        self.transport.unregisterProducer()  # type: ignore[attr-defined]  # every stream's transport is a consumer too
        self._mark = 0
        self.arm(Wait.LINGER)
        lose_write = getattr(self.transport, "loseWriteConnection", None)
        if lose_write is not None and not self._tls:
            lose_write()
        else:
            self.transport.loseConnection()

    def reads(self, wait: Wait) -> bool:
        """
        Whether a peer whose deadline has passed takes what it is sent, if slowly.

        After the last answer (`LINGER`) a peer that has not taken all of it has as long as any other slow reader.
        """
        unsent, before = unsent_bytes(self.transport), self._mark
        self._mark = unsent or 0
        if wait is Wait.LINGER and unsent:
            self._wait = Wait.READER
            return True
        return bool(unsent) and unsent != before
