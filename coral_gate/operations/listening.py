"""
One listener as a Twisted service: it binds before privileges are dropped, and says so plainly where it cannot.
"""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from coral_gate.operations.exits import EXIT_UNAVAILABLE, say


class Listener(Service):
    """
    Listens on one endpoint while it runs.

    :param description: the endpoint as it was configured, for messages.
    :ivar port: what it listens on, or None.
    """

    _log = Logger()

    def __init__(self, endpoint: IStreamServerEndpoint, factory: IProtocolFactory, description: str) -> None:
        self._endpoint = endpoint
        self._factory = factory
        self._description = description
        self._opening: Deferred[object] | None = None
        self.port: IListeningPort | None = None

    def privilegedStartService(self) -> None:
        """Bind, with the rights that the process was started with."""
        super().privilegedStartService()
        self._opening = self._endpoint.listen(self._factory).addCallbacks(self._listening, self._failed)

    def startService(self) -> None:
        """Bind, where that was not done before."""
        super().startService()
        if self._opening is None:
            self.privilegedStartService()

    def stopService(self) -> Deferred[None] | None:
        """Listen no more; connections that are open stay."""
        super().stopService()
        self._opening, port, self.port = None, self.port, None
        return port.stopListening() if port is not None else None

    def _listening(self, port: IListeningPort) -> None:
        self.port = port
        self._log.info("listening on {endpoint}: {host}", endpoint=self._description, host=port.getHost())

    def _failed(self, failure: Failure) -> None:
        say(f"coral-gate: cannot listen on {self._description}: {failure.getErrorMessage()}")
        raise SystemExit(EXIT_UNAVAILABLE)
