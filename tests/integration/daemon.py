"""
The daemon as a user runs it: `twistd coral-gate --config FILE`, a process of its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from tests import ROOT

_READY = b"ready: portal"


def free_port() -> int:
    """A loopback TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sandbox_name(number: int) -> str:
    """The id of a test's sandbox; no two are alike in more than a few characters."""
    return base64.b32encode(hashlib.sha256(b"sandbox %d" % number).digest()).decode().lower()[:26]


@define(eq=False)
class _Twistd(ProcessProtocol):
    """The process and all that it says."""

    ready: Deferred[None] = field(factory=Deferred)
    ended: Deferred[None] = field(factory=Deferred)
    said: bytearray = field(factory=bytearray)
    transport: IProcessTransport = field(default=None)

    def outReceived(self, data: bytes) -> None:
        self.said += data
        if not self.ready.called and _READY in self.said:
            self.ready.callback(None)

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        if not self.ready.called:
            self.ready.errback(RuntimeError(f"the daemon did not start:\n{self.said.decode(errors='replace')}"))
        self.ended.callback(None)


@define
class Daemon:
    """
    A running gate with one open sandbox for each origin.

    :ivar port: where it listens, without TLS.
    :ivar pid: its process.
    """

    port: int
    _twistd: _Twistd

    @classmethod
    async def start(cls, reactor: IReactorProcess, folder: Path, origins: Sequence[int], settings: str = "") -> Daemon:
        """
        Start it; it listens when this returns.

        :param folder: an empty one, for its configuration and state.
        :param origins: the loopback port of the app of each sandbox.
        :param settings: further tables of the configuration; `@PORT@` in them is the port that it listens on.
        """
        port = free_port()
        config = folder / "coral-gate.toml"
        config.write_text(configuration(port, folder, origins) + settings.replace("@PORT@", str(port)))
        return await cls.restart(reactor, folder, port)

    @classmethod
    async def restart(cls, reactor: IReactorProcess, folder: Path, port: int) -> Daemon:
        """Start it on what is in the folder, as it stands."""
        config = folder / "coral-gate.toml"
        twistd = _Twistd()
        words = [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "coral-gate", "--config", str(config)]
        reactor.spawnProcess(twistd, words[0], words, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, path=str(folder))
        await twistd.ready
        return cls(port, twistd)

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        pid = self._twistd.transport.pid
        assert pid is not None
        return int(pid)

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._twistd.said.decode(errors="replace")

    def authority(self, number: int = 0) -> bytes:
        """The authority of a sandbox's origin."""
        return f"{sandbox_name(number)}.sbx.localhost:{self.port}".encode()

    def resident_bytes(self) -> int:
        """Memory that it holds now (proc(5), VmRSS)."""
        return self._status("VmRSS")

    def peak_bytes(self) -> int:
        """The most memory that it held since `forget_peak` (proc(5), VmHWM)."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        """Count the peak from now on (proc(5), clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _status(self, name: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError(f"no {name}: the daemon has ended")

    async def stop(self) -> None:
        """End it; gone when this returns."""
        if not self._twistd.ended.called:
            self._twistd.transport.signalProcess("TERM")
            await self._twistd.ended


def configuration(port: int, folder: Path, origins: Sequence[int]) -> str:
    """A configuration with one open sandbox for each origin."""
    sandboxes = [
        f'[[sandbox]]\nid = "{sandbox_name(number)}"\nname = "Test {number}"\nspeaks = "http"\nopen = true\n'
        f'app = {{ kind = "tcp", host = "127.0.0.1", port = {origin} }}\n'
        for number, origin in enumerate(origins)
    ]
    return "\n".join([
        "[gate]",
        f'portal_origin = "https://gate.localhost:{port}"',
        f'sandbox_site = "https://sbx.localhost:{port}"',
        f"state_directory = {json.dumps(str(folder / 'state'))}",
        "[[listen]]",
        f'endpoint = "tcp:{port}:interface=127.0.0.1"',
        "tls = false",
        "[links]",
        'allow = ["127.0.0.1"]',
        *sandboxes,
    ])  # fmt: skip
