"""The driver `local`: each sandbox is an OpenClaw process on the gate's own machine."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from zope.interface import implementer

from coral_gate.config.sections.local import LocalConfig
from coral_gate.errors import ConfigError, DriverFault
from coral_gate.interfaces import ILink, ISandboxDriver
from coral_gate.model import Condition, SandboxId, SandboxState, Secret, ServiceName, sandbox_id
from coral_gate.sandboxes.addresses import Endpoint
from coral_gate.sandboxes.local.folder import SandboxFolder
from coral_gate.sandboxes.local.life import Life
from coral_gate.sandboxes.local.link import LocalLink, loopback_link
from coral_gate.sandboxes.local.openclaw_settings import Model, has_password, laid_over, settings
from coral_gate.sandboxes.local.ports import free_port, is_free, listener_uid
from coral_gate.sandboxes.local.process import KeptProcess, Starter
from coral_gate.sandboxes.local.readiness import is_ready

T = TypeVar("T")

SAME_USER: Final = "It runs as the gate's own user: whatever its agent does can read the gate's keys."


def is_sandbox_id(name: str) -> bool:
    """Whether a folder is named as a sandbox is."""
    try:
        sandbox_id(name)
    except ValueError:
        return False
    return True


class InThread(Protocol):
    """Does work that blocks away from the reactor's thread."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]:
        """Start the work; wait for what it gives or raises."""


@define(eq=False)
class _Ground:
    """What the life of one sandbox stands on."""

    driver: LocalDriver
    folder: SandboxFolder

    def port(self, avoid: int | None = None) -> int:
        """The port it had before, where that is free."""
        noted = self.folder.noted("port")
        port = int(noted) if noted.isdecimal() else 0
        if port in (0, avoid) or not is_free(port):
            port = self.driver.free_port()
        if not has_password(self.folder.settings()):
            raise DriverFault("It has no password yet; give it one with 'coral-gate credential set'.")
        self.driver.write(self.folder, port, None)
        return port

    def spawn(self, port: int, on_end: Callable[[int], None]) -> KeptProcess:
        """Start its processes."""
        return self.driver.starter.start(self.folder, port, on_end)

    async def ready(self, port: int) -> bool:
        """Whether it answers; where sandboxes have users of their own, another one's socket there is not it."""
        if self.folder.uid is not None and listener_uid(port) != self.folder.uid:
            return False
        return await is_ready(loopback_link(self.driver.reactor, port, self.driver.own), self.driver.reactor)

    def taken(self, port: int) -> bool:
        """Whether another program listens on a port."""
        return not is_free(port)

    def in_thread(self, work: Callable[[], int]) -> Awaitable[int]:
        """Do what blocks elsewhere."""
        return self.driver.in_thread(work)


@implementer(ISandboxDriver)
@define(eq=False)
class LocalDriver:
    """
    Makes sandboxes that are processes.

    :ivar reactor: typed Any since no type names all that a reactor provides.
    :ivar own: where the gate listens; no sandbox's link leads there.
    :ivar in_thread: does what blocks.
    :ivar starter: starts their processes.
    :ivar free_port: chooses a port.
    """

    reactor: Any
    config: LocalConfig
    own: frozenset[Endpoint]
    in_thread: InThread
    starter: Starter
    free_port: Callable[[], int] = free_port
    word: str = field(default="local", init=False)
    _lives: dict[SandboxId, Life] = field(factory=dict, init=False)
    _folders: dict[SandboxId, SandboxFolder] = field(factory=dict, init=False)

    _log = Logger()

    def load(self) -> None:
        """Know the sandboxes of its folder again, after the daemon has started; none of them is started by that. Blocks on files."""
        top = self.config.folder
        for entry in sorted(top.iterdir()) if top.is_dir() else ():
            folder = self._found(sandbox_id(entry.name)) if is_sandbox_id(entry.name) else None
            if folder is not None:
                self._know(folder)

    def _found(self, sandbox: SandboxId) -> SandboxFolder | None:
        noted = SandboxFolder(self.config.folder, sandbox).noted("uid")
        folder = SandboxFolder(self.config.folder, sandbox, int(noted) if noted.isdecimal() else None)
        return folder if folder.there() else None

    def _know(self, folder: SandboxFolder) -> None:
        if folder.sandbox not in self._lives:
            running = Condition(SandboxState.RUNNING, SAME_USER if folder.uid is None else "")
            self._folders[folder.sandbox] = folder
            self._lives[folder.sandbox] = Life(self.reactor, _Ground(self, folder), self.config.start_s, running)

    def link(self, sandbox: SandboxId, service: ServiceName) -> ILink | None:
        """See `ISandboxDriver.link`; one that does not run is started by connecting."""
        life = self._lives.get(sandbox)
        return None if life is None or service is not ServiceName.APP else LocalLink(self.reactor, life, self.own)

    def condition(self, sandbox: SandboxId) -> Condition:
        """See `ISandboxDriver.condition`."""
        life = self._lives.get(sandbox)
        return Condition(SandboxState.UNKNOWN) if life is None else life.condition

    async def provide(self, sandbox: SandboxId, origin: str, credentials: Mapping[ServiceName, Secret]) -> None:
        """See `ISandboxDriver.provide`; a running OpenClaw sees the new password in its file and closes what came in with the old one."""
        password = credentials.get(ServiceName.APP)
        try:
            folder = await self.in_thread(lambda: self._make(sandbox))
            life = self._lives.get(sandbox)
            await self.in_thread(lambda: self._tell(folder, origin, 0 if life is None else life.port, password))
        except (OSError, ConfigError, UnicodeDecodeError) as error:
            self._log.warn("a sandbox could not be made: {why}", why=str(error))
            raise DriverFault("Its files could not be written; the daemon's log says why.") from error
        if folder.uid is None and life is None:
            self._log.warn("sandbox {sandbox} runs as the gate's own user: its agent can read the gate's keys", sandbox=sandbox)
        self._know(folder)

    def _make(self, sandbox: SandboxId) -> SandboxFolder:
        found = self._found(sandbox)
        if found is not None:
            return found
        folder = SandboxFolder(self.config.folder, sandbox, self._uid(sandbox))
        folder.make()
        if folder.uid is not None:
            folder.note("uid", str(folder.uid))
        return folder

    def _uid(self, sandbox: SandboxId) -> int | None:
        if self.config.uids is None:
            if os.geteuid() == 0:
                raise DriverFault("OpenClaw does not run as root: set local.uids, or run the gate as another user.")
            return None
        if os.geteuid() != 0:
            raise DriverFault("Only a gate that runs as root can give each sandbox a user of its own: take local.uids out.")
        noted = SandboxFolder(self.config.folder, sandbox).noted("uid")
        if noted.isdecimal():
            return int(noted)
        top = self.config.folder
        others = {SandboxFolder(top, SandboxId(one.name)).noted("uid") for one in top.iterdir()} if top.is_dir() else set()
        for uid in self.config.uids:
            if str(uid) not in others:
                return uid
        raise DriverFault("All user ids of local.uids are in use.")

    def _tell(self, folder: SandboxFolder, origin: str, port: int, password: Secret | None) -> None:
        folder.make()
        noted = folder.noted("port")
        self.write(folder, port or (int(noted) if noted.isdecimal() else self.free_port()), password, origin)
        folder.note("origin", origin)  # last: from now on it is one

    def write(self, folder: SandboxFolder, port: int, password: Secret | None, origin: str | None = None) -> None:
        """
        Write OpenClaw's settings; blocks on files.

        :param password: None leaves the one that is there.
        """
        ours = settings(origin or folder.noted("origin"), port, password, self._model())
        folder.put_settings(laid_over(folder.settings(), ours))
        folder.note("port", str(port))

    def _model(self) -> Model | None:
        config = self.config
        if config.model_url is None:
            return None
        return Model(config.model_url, config.model, None if config.model_key is None else config.model_key.read_line())

    async def start(self, sandbox: SandboxId) -> None:
        """See `ISandboxDriver.start`."""
        await self._life(sandbox).start()

    async def stop(self, sandbox: SandboxId) -> None:
        """See `ISandboxDriver.stop`."""
        await self._life(sandbox).stop()

    async def destroy(self, sandbox: SandboxId) -> None:
        """See `ISandboxDriver.destroy`."""
        life = self._lives.pop(sandbox, None)
        if life is not None:
            await life.stop()
        folder = self._folders.pop(sandbox, None) or SandboxFolder(self.config.folder, sandbox)
        try:
            await self.in_thread(folder.remove)
        except OSError as error:
            raise DriverFault("Its files could not all be deleted; try again.") from error

    async def stop_all(self) -> None:
        """Stop every sandbox, all at once; when this returns none runs."""
        await DeferredList([Deferred.fromCoroutine(life.stop()) for life in self._lives.values()], consumeErrors=True)

    def _life(self, sandbox: SandboxId) -> Life:
        life = self._lives.get(sandbox)
        if life is None:
            raise DriverFault("There is no such sandbox.")
        return life
