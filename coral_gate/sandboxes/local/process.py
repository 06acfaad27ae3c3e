"""The process of one sandbox, as the gate holds it: a keeper, and at its other end OpenClaw."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from coral_gate.sandboxes.local.folder import SandboxFolder

KEEPER: Final = Path(__file__).with_name("keeper.py")
SAID_BYTES: Final = 4096


@define(eq=False)
class KeptProcess(ProcessProtocol):
    """
    A keeper that runs.

    :ivar on_end: called once with the exit code when it and all below it have ended.
    :ivar code: the exit code, or None while it runs.
    :ivar said: the last that the keeper itself has said, where it could not start.
    """

    on_end: Callable[[int], None]
    code: int | None = None
    said: bytes = b""
    pid: int | None = None
    transport: IProcessTransport = field(default=None, init=False)
    _waiting: list[Deferred[None]] = field(factory=list, init=False)

    def connectionMade(self) -> None:
        """Remember its id, which its group has too."""
        self.pid = self.transport.pid

    def errReceived(self, data: bytes) -> None:
        """Keep the end of what it says."""
        self.said = (self.said + data)[-SAID_BYTES:]

    outReceived = errReceived

    def stop(self) -> None:
        """Ask it to end everything; the end of its stdin says so."""
        self.transport.closeStdin()

    def kill(self) -> None:
        """End it by force, with its group."""
        if self.code is None and self.pid is not None:
            _kill_group(self.pid)

    def ended(self) -> Deferred[None]:
        """Fires when it has ended."""
        waiting: Deferred[None] = Deferred()
        if self.code is not None:
            waiting.callback(None)
        else:
            self._waiting.append(waiting)
        return waiting

    def processEnded(self, reason: Failure) -> None:
        """Tell everybody who waits; what is left of its group, if it was killed, goes too."""
        code = 0 if reason.check(ProcessDone) else getattr(reason.value, "exitCode", None)
        self.code = 1 if code is None else code
        if self.pid is not None:
            _kill_group(self.pid)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.called:
                one.callback(None)
        self.on_end(self.code)


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


@frozen
class Starter:
    """
    Starts keepers.

    :ivar reactor: spawns processes; typed Any since no type names all that a reactor provides.
    :ivar node: the node executable.
    :ivar openclaw: `openclaw.mjs` of an installed package.
    """

    reactor: Any
    node: Path
    openclaw: Path

    def start(self, folder: SandboxFolder, port: int, on_end: Callable[[int], None]) -> KeptProcess:
        """Start a sandbox's processes with nothing in their arguments and environment but paths and the port."""
        kept = KeptProcess(on_end)
        uid = "-" if folder.uid is None else str(folder.uid)
        words = [sys.executable, "-I", str(KEEPER), uid, str(folder.path), str(self.node), str(self.openclaw), str(port)]
        spawner: IReactorProcess = self.reactor
        spawner.spawnProcess(kept, words[0], words, env={"LANG": "C.UTF-8"}, path="/")
        return kept
