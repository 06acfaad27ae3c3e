"""
A sandbox's app that answers as the corpus of responses says, in the test's own process.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.corpus.response import Ends, Response

_PAUSE_S = 0.008
"""Between two pieces, so that they are read apart; and before the end, so that it comes after them."""


def case_target(number: int) -> bytes:
    """What to ask for to get a case's answer."""
    return b"/case/%d" % number


@implementer(IPushProducer)
class HostileConnection(Protocol):
    """
    One connection of the gate.

    It answers `/case/<number>` as that case says, and anything else well, with the target as the content, and closes.
    """

    transport: Any  # a TCP transport: it has a socket too, which no interface says

    def __init__(self, app: HostileApp) -> None:
        self._app = app
        self._buffer = b""
        self._playing: Response | None = None
        self._paused = False
        self.gone: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self._app.open.add(self)
        self.transport.setTcpNoDelay(True)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._playing = None
        self._paused = True
        self.gone.callback(None)
        self._app.open.discard(self)

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            target = head.split(b" ")[1]
            if target.startswith(b"/case/"):
                number = int(target[6:])
                self._app.played[number] = self
                self._play(self._app.responses[number], 0)
            else:
                self.transport.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))
                self.transport.loseConnection()

    def _play(self, one: Response, number: int) -> None:
        if self not in self._app.open:
            return
        if number < len(one.pieces):
            self.transport.write(one.pieces[number])
            self._app.reactor.callLater(_PAUSE_S, self._play, one, number + 1)
        elif one.endless:
            self._playing = one
            self.transport.registerProducer(self, True)
            self._flood()
        elif one.ends is Ends.CLOSE:
            self.transport.loseConnection()
        elif one.ends is Ends.RESET:
            self.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abortConnection()

    def _flood(self) -> None:
        if self._playing is not None and not self._paused:
            self.transport.write(self._playing.endless)
            self._app.flooded_bytes += len(self._playing.endless)
            self._app.reactor.callLater(0, self._flood)

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        if self._paused:
            self._paused = False
            self._app.reactor.callLater(0, self._flood)

    def stopProducing(self) -> None:
        self._paused = True


@define(eq=False)
class HostileApp(Factory):
    """
    The app: give it to a listening port.

    :ivar responses: the corpus, by number.
    :ivar open: connections that are open.
    :ivar played: the connection on which a case was last answered.
    :ivar flooded_bytes: what was written of answers that never end.
    """

    reactor: Any
    responses: Sequence[Response]
    open: set[HostileConnection] = field(factory=set)
    played: dict[int, HostileConnection] = field(factory=dict)
    flooded_bytes: int = 0
    noisy = False

    def buildProtocol(self, addr: object) -> HostileConnection:
        return HostileConnection(self)
