"""
Reading the configuration again while the daemon runs: all of it is taken, or nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, field, frozen
from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from coral_gate.audit.events import ConfigurationLoaded, ConfigurationRefused
from coral_gate.config import Config
from coral_gate.config.differences import differing, in_force
from coral_gate.errors import ConfigError
from coral_gate.interfaces import IAuditSink


@frozen
class Reloaded:
    """
    What came of a reload.

    :ivar applied: the dotted keys that changed and took effect.
    :ivar needs_restart: those that changed and did not.
    :ivar ended: how many people's sessions ended, since no list names them any more.
    """

    applied: tuple[str, ...]
    needs_restart: tuple[str, ...]
    ended: int


@define(eq=False)
class Reload:
    """
    Reloads; one at a time.

    :param read: the configuration in the file now, and the SHA-256 of its text.
    :param prepare: makes ready what a configuration needs, and gives what takes it into use, which cannot fail. Where it raises
        `ConfigError`, nothing has changed.
    :param settle: does what follows from it, e.g. ends sessions; gives how many people's.
    :ivar running: what is in force.
    """

    running: Config
    _read: Callable[[], tuple[Config, str]]
    _prepare: Callable[[Config], Callable[[], None]]
    _settle: Callable[[], Awaitable[int]]
    _audit: IAuditSink
    _lock: DeferredLock = field(factory=DeferredLock, init=False)
    _log = Logger()

    async def reload(self) -> Reloaded:
        """
        Read the file again and take what can be taken.

        :raises ConfigError: it cannot be used; everything is as it was, and the log has every problem.
        :raises AuditUnavailable: it could not be recorded; everything is as it was.
        """
        await self._lock.acquire()
        try:
            return await self._reload()
        finally:
            self._lock.release()

    async def _reload(self) -> Reloaded:
        try:
            wanted, digest = self._read()
            force = in_force(self.running, wanted)
            take = self._prepare(force)
        except ConfigError as error:
            for problem in error.problems:
                self._log.error("the configuration was refused, and everything stays as it was: {problem}", problem=str(problem))
            await self._audit.record(ConfigurationRefused(reason="invalid"))
            raise
        applied, restart = differing(self.running, force), differing(force, wanted)
        await self._audit.record(ConfigurationLoaded(digest=digest, reason="reload"))
        take()
        self.running = force
        ended = await self._settle()
        self._say(applied, restart)
        return Reloaded(applied, restart, ended)

    def _say(self, applied: tuple[str, ...], restart: tuple[str, ...]) -> None:
        self._log.info("configuration read again; changed: {keys}", keys=", ".join(applied) or "nothing")
        if restart:
            self._log.warn("these keys changed too and need a restart: {keys}", keys=", ".join(restart))
