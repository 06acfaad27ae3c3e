"""
The operator's socket: `operator.sock` in the state directory, on which `coral-gate` asks a running daemon.

Only the daemon's own user and root may ask; the kernel says who is at the other end (unix(7), SO_PEERCRED).
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, IReadDescriptor, ITransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from coral_gate.errors import ConfigError, DriverFault, Fault, Problem
from coral_gate.operations.operator_lines import (
    LONGEST_REQUEST_BYTES,
    Answer,
    Done,
    Failed,
    NotALine,
    Progress,
    answer_line,
    read_request,
)

SOCKET_NAME: Final = "operator.sock"
"""The socket's name in the state directory."""

MOST_CONNECTIONS: Final = 16
REQUEST_S: Final = 5.0
"""How long a request may take to arrive."""
WORK_S: Final = 900.0
"""How long an operation may take; it is cancelled then."""
_CLOSE_S: Final = 10.0
_BACKLOG: Final = 16
_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred: pid, uid, gid

Tell: TypeAlias = Callable[[str], None]
"""Tells the operator how far the work is, in a sentence."""

Operation: TypeAlias = Callable[[Mapping[str, object], Tell], Awaitable[Mapping[str, object]]]
"""
Does what an operator asked for with what they gave, and gives facts for the answer.

Raises a `Fault`, a `ConfigError`, or `ValueError` with a sentence about what was given.
"""


def peer_uid(transport: ITransport) -> int:
    """
    Who is at the other end, as the kernel knows it since they connected.

    :raises OSError: it does not say.
    """
    at = cast("Any", transport).socket  # Any: ITransport names no socket; that of a UNIX server has one
    return int(_CREDENTIALS.unpack(at.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[1])


class OperatorConnection(Protocol):
    """One request, its answer, and the end."""

    def __init__(self, desk: OperatorFactory) -> None:
        self._desk = desk
        self._received = bytearray()
        self._asked = self._gone = False
        self._limit: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Let go of everybody who may not ask."""
        if not self._desk.enter(self):
            self._gone = True
            self._abort()
            return
        self._limit_to(REQUEST_S, lambda: self._finish(Failed("The request took too long to arrive.", "request-too-slow")))

    def dataReceived(self, data: bytes) -> None:
        """Take one line; what comes after it is nobody's request."""
        if self._asked or self._gone:
            return
        self._received += data
        line, end, _ = self._received.partition(b"\n")
        if not end and len(line) < LONGEST_REQUEST_BYTES:
            return
        self._asked = True
        self._received.clear()
        self._limit_to(None)
        self._desk.work(bytes(line), self._say).addCallback(self._finish)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The operator is gone; what they asked for is done all the same, until its deadline or the daemon's end."""
        self._gone = True
        self._limit_to(None)
        self._desk.leave(self)

    def _finish(self, answer: Answer) -> None:
        self._asked = True
        if not self._gone and self.transport is not None:
            self._say(answer)
            self._limit_to(_CLOSE_S, self._abort)
            self.transport.loseConnection()

    def _say(self, answer: Answer) -> None:
        if not self._gone and self.transport is not None:
            self.transport.write(answer_line(answer))

    def _abort(self) -> None:
        cast("Any", self.transport).abortConnection()  # Any: Protocol.transport is typed without it

    def _limit_to(self, seconds: float | None, late: Callable[[], object] = lambda: None) -> None:
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
        self._limit = None if seconds is None else self._desk.clock.callLater(seconds, late)


class OperatorFactory(Factory):
    """
    Serves operators.

    :param operations: what they may ask for, by name.
    :param uid_of: see `peer_uid`.
    :ivar clock: for deadlines.
    """

    noisy = False
    _log = Logger()

    def __init__(self, operations: Mapping[str, Operation], clock: IReactorTime, uid_of: Callable[[ITransport], int] = peer_uid) -> None:
        self.clock = clock
        self._operations = operations
        self._uid_of = uid_of
        self._open: set[OperatorConnection] = set()
        self._working: set[Deferred[Answer]] = set()

    def buildProtocol(self, addr: IAddress | None) -> OperatorConnection:
        """A connection."""
        return OperatorConnection(self)

    def enter(self, connection: OperatorConnection) -> bool:
        """Whether one more may be served, and whoever is at its other end may ask."""
        try:
            uid = self._uid_of(cast("ITransport", connection.transport))
        except OSError:
            return False
        if uid not in (0, os.geteuid()):
            self._log.warn("user {uid} of this machine reached the operator's socket and was turned away", uid=uid)
            return False
        if len(self._open) >= MOST_CONNECTIONS or len(self._working) >= MOST_CONNECTIONS:
            return False
        self._open.add(connection)
        return True

    def leave(self, connection: OperatorConnection) -> None:
        """A connection is closed."""
        self._open.discard(connection)

    def work(self, line: bytes, say: Callable[[Answer], None]) -> Deferred[Answer]:
        """Do what a line asks for; it never fails."""
        doing = Deferred.fromCoroutine(self._do(line, lambda sentence: say(Progress(sentence))))
        deadline = self.clock.callLater(WORK_S, doing.cancel)
        self._working.add(doing)
        doing.addErrback(self._unforeseen)

        def over(answer: Answer) -> Answer:
            self._working.discard(doing)
            if deadline.active():
                deadline.cancel()
            return answer

        return doing.addCallback(over)

    def stop(self) -> None:
        """Cut short what is being done: each operation can be asked for again."""
        for doing in list(self._working):
            doing.cancel()

    async def _do(self, line: bytes, tell: Tell) -> Answer:
        try:
            request = read_request(line)
            operation = self._operations.get(request.do)
            if operation is None:
                return Failed("This daemon knows no such operation; it may be older or newer than the command.", "unknown-operation")
            return Done(await operation(request.given, tell))
        except ConfigError as error:
            return Failed("\n".join(str(problem) for problem in error.problems), "configuration")
        except DriverFault as fault:
            return Failed(str(fault) or fault.sentence, "driver")
        except Fault as fault:
            return Failed(fault.sentence, fault.word)
        except NotALine as error:
            return Failed(str(error), "unfit-line")
        except ValueError as error:
            return Failed(str(error), "given")

    def _unforeseen(self, failure: Failure) -> Answer:
        if failure.check(CancelledError):
            return Failed("It was cut short: it took too long, or the daemon stops. Ask again.", "cut-short")
        self._log.failure("an operation could not be done", failure)
        return Failed("Something went wrong; the daemon's log says what.", "unforeseen")


@implementer(IReadDescriptor)
class _Accepting:
    """
    Takes connections from a listening socket.

    Twisted's own UNIX port would chmod and unlink a path that it takes from the socket, which is not the path that it lies at.
    """

    def __init__(self, listening: socket.socket, factory: OperatorFactory, reactor: Any) -> None:
        self._listening = listening
        self._factory = factory
        self._reactor = reactor

    def fileno(self) -> int:
        return self._listening.fileno()

    def logPrefix(self) -> str:
        return "operator's socket"

    def doRead(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:
            return  # they are gone already, or there is no descriptor for them
        with connection:
            connection.setblocking(False)
            self._reactor.adoptStreamConnection(connection.fileno(), socket.AF_UNIX, self._factory)

    def connectionLost(self, reason: Failure) -> None:
        self._listening.close()


class OperatorSocket(Service):
    """
    Listens on the socket while it runs, as the user that the daemon then is.

    :param reactor: a Twisted reactor; Any since no type names all that it provides.
    """

    def __init__(self, folder: Path, operations: Mapping[str, Operation], reactor: Any) -> None:
        self._folder = folder
        self._reactor = reactor
        self._factory = OperatorFactory(operations, reactor)
        self._accepting: _Accepting | None = None

    def startService(self) -> None:
        """
        Listen.

        :raises ConfigError: the socket cannot be used, e.g. another daemon answers on it.
        """
        super().startService()
        self._accepting = _Accepting(bound(self._folder), self._factory, self._reactor)
        self._reactor.addReader(self._accepting)

    def stopService(self) -> None:
        """Listen no more, and cut short what is being done."""
        super().stopService()
        accepting, self._accepting = self._accepting, None
        if accepting is not None:
            (self._folder / SOCKET_NAME).unlink(missing_ok=True)
            self._reactor.removeReader(accepting)
            accepting.connectionLost(Failure(ConnectionDone()))
            self._factory.stop()


def bound(folder: Path) -> socket.socket:
    """
    A listening socket in a folder; the one that a killed daemon left is replaced.

    The folder is reached by its descriptor, since a socket's address has room for 107 bytes of path alone.

    :raises ConfigError: another daemon answers there, what is there is no socket, or none can be made.
    """
    path = folder / SOCKET_NAME
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    address = f"/proc/self/fd/{at}/{SOCKET_NAME}"
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_room(path, address)
        os.fchmod(listening.fileno(), 0o600)  # before it has a name, so that it never has one with another mode
        listening.bind(address)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise _unfit(path, f"The operator's socket cannot be made: {error.strerror}.") from error
    except ConfigError:
        listening.close()
        raise
    finally:
        os.close(at)
    return listening


def _make_room(path: Path, address: str) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise _unfit(path, "Something that is no socket is where the operator's socket belongs.", "Move it away.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            path.unlink()  # nobody has it open: it is what a killed daemon left
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ETIMEDOUT):
                raise
    raise _unfit(path, "Another daemon runs on this state directory and answers here.", "Stop it first.")


def _unfit(path: Path, what: str, hint: str = "") -> ConfigError:
    return ConfigError((Problem(str(path), "gate.state_directory", what, hint),))
