"""Whether a sandbox's OpenClaw is ready, asked over its link."""

from __future__ import annotations

import re

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from coral_gate.errors import UpstreamUnreachable
from coral_gate.interfaces import ILink

MOST_BYTES = 16 * 1024
ANSWER_S = 5.0
_REQUEST = b"GET /readyz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
_READY = re.compile(rb'HTTP/1\.[01] 200 [^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n.*"ready"\s*:\s*true', re.DOTALL)


@define(eq=False)
class _Asking(Protocol):
    answered: Deferred[bool]
    _said: bytearray = field(factory=bytearray, init=False)

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(_REQUEST)

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self._said += data
        if _READY.match(self._said) or len(self._said) > MOST_BYTES:
            self.transport.loseConnection()
            self._answer()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._answer()

    def _answer(self) -> None:
        if not self.answered.called:
            self.answered.callback(_READY.match(self._said) is not None)


class _Asker(ClientFactory):
    noisy = False

    def __init__(self, answered: Deferred[bool]) -> None:
        self._answered = answered

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return _Asking(self._answered)


async def is_ready(link: ILink, reactor: IReactorTime) -> bool:
    """Ask once; whatever goes wrong is a no."""
    answered: Deferred[bool] = Deferred()
    try:
        protocol = await Deferred.fromCoroutine(_connect(link, answered)).addTimeout(ANSWER_S, reactor)
    except Exception:  # a refused connection, a deadline: it is not ready
        return False
    try:
        return await answered.addTimeout(ANSWER_S, reactor)
    except Exception:  # the deadline
        return False
    finally:
        transport = protocol.transport
        if transport is not None:
            transport.loseConnection()


async def _connect(link: ILink, answered: Deferred[bool]) -> Protocol:
    protocol = await link.connect(_Asker(answered))
    if not isinstance(protocol, Protocol):
        raise UpstreamUnreachable
    return protocol
