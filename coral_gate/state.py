"""
What outlives the process: the database, the audit log, the keys. Built with the daemon, opened when it starts.

Nothing is opened before the daemon has its final process and user: an open database does not survive a fork, and files belong
to whoever opened them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from coral_gate.audit.events import DaemonStarted, DaemonStopped
from coral_gate.audit.file_sink import FileSink
from coral_gate.audit.segments import FOLDER_NAME, Segments
from coral_gate.audit.thread import OwnThread
from coral_gate.config import Config
from coral_gate.custody.configured import Custody, custody
from coral_gate.custody.sourcekeyring import SourceKeyring
from coral_gate.errors import Unavailable
from coral_gate.model import UserId
from coral_gate.records import BY_CONFIGURATION, Principal
from coral_gate.stores.providers import Stores, database_stores
from coral_gate.stores.sql import Rows
from coral_gate.stores.sqlite import SQLiteDatabase, open_for_daemon
from coral_gate.stores.threads import OneThread

T = TypeVar("T")


class _LaterDatabase:
    """A database that is not open yet; until then nothing can be asked of it."""

    def __init__(self) -> None:
        self.opened: SQLiteDatabase | None = None

    async def run(self, by: Principal, work: Callable[[Rows], T]) -> T:
        """See `stores.sql.Database.run`."""
        return await self._open().run(by, work)

    async def read(self, by: Principal, work: Callable[[Rows], T]) -> T:
        """See `stores.sql.Database.read`."""
        return await self._open().read(by, work)

    def _open(self) -> SQLiteDatabase:
        if self.opened is None:
            raise Unavailable
        return self.opened


class _LaterThread:
    """Work is done at once while the reactor does not run, and in the audit log's own thread from then on."""

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._thread = OwnThread(reactor)
        self._runs = False

    def start(self) -> None:
        self._runs = True
        self._thread.start()

    def stop(self) -> None:
        if self._runs:
            self._runs = False
            self._thread.stop()

    def __call__(self, work: Callable[[], T]) -> Deferred[T]:
        return self._thread(work) if self._runs else execute(work)


@define(eq=False)
class State:
    """
    The database, the audit log and the keys.

    :param config: names the state directory and the keys.
    :param reactor: a Twisted reactor; Any since no type names all that it provides.
    :param version: Coral Gate's, for the audit log.
    """

    config: Config
    reactor: Any
    version: str
    custody: Custody = field(init=False)
    stores: Stores = field(init=False)
    audit: FileSink = field(init=False)
    _database: _LaterDatabase = field(factory=_LaterDatabase, init=False)
    _threads: tuple[OneThread, OneThread] = field(init=False)
    _audit_thread: _LaterThread = field(init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self.stores = database_stores(self._database)
        self._threads = (OneThread(self.reactor, "store-writer"), OneThread(self.reactor, "store-reader"))
        self._audit_thread = _LaterThread(self.reactor)
        self.audit = FileSink(Segments(str(self._folder / FOLDER_NAME), "gate"), self._audit_thread, self.reactor)
        self.custody = custody(
            self.config.keys, self.stores.credentials, self.audit, self.reactor, self._in_any_thread, lambda: datetime.now(UTC)
        )

    @property
    def _folder(self) -> Path:
        return self.config.gate.state_directory

    def _in_any_thread(self, work: Callable[[], T]) -> Deferred[T]:
        """Work on keys' files, each a moment long."""
        return deferToThreadPool(self.reactor, self.reactor.getThreadPool(), work)

    def failing(self) -> dict[str, str]:
        """What cannot be used now, each with a sentence for operators that says why; empty when all is well."""
        reasons: dict[str, str | None] = {"audit": self.audit.ready()}
        if self.config.keys.master is not None:
            state = self.custody.keyring.state()
            reasons["keys"] = None if state.ready else state.why
        return {name: why for name, why in reasons.items() if why}

    async def tidy(self) -> None:
        """Empty the database's log of what was deleted; see `SQLiteDatabase.tidy`."""
        if self._database.opened is not None:
            await self._database.opened.tidy()

    async def keep_keys(self) -> None:
        """
        Look at the master key's source again, say what has changed, and bring users' keys under the current key.

        :raises KeysUnavailable: a folder or key cannot be used; try again later.
        """
        keyring = self.custody.keyring
        if not isinstance(keyring, SourceKeyring):
            return
        before, after = keyring.state(), await keyring.reload()
        if before != after:
            self._log.warn("keys: {condition}: {why}", condition=after.condition.value, why=after.why)
        if not after.ready:
            self.custody.vault.drop_all()
            return
        await self.custody.upkeep()

    async def let_in_by_name(self, who: UserId) -> bool:
        """Whether an administrator or the operator let somebody in, whatever the configuration's lists say."""
        user = await self.stores.users.find(who)
        return user is not None and user.allowed_by != BY_CONFIGURATION

    def open(self) -> None:
        """
        Open everything; blocks, and is called once before the reactor runs.

        :raises ConfigError: a folder or file cannot be used; every sentence says what to do.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._database.opened = open_for_daemon(self._folder, *self._threads, now=datetime.fromtimestamp(time.time(), UTC))
        _now_or_raise(Deferred.fromCoroutine(self.audit.start()))
        _now_or_raise(Deferred.fromCoroutine(self.audit.record(DaemonStarted(version=self.version))))
        self.custody.open()
        for name, why in self.failing().items():
            self._log.error("not ready: {name}: {why}", name=name, why=why)
        for thread in self._threads:
            thread.start()
        self._audit_thread.start()

    async def close(self) -> None:
        """Write what is left, and close everything."""
        self.custody.close()
        await self.audit.stop(last=DaemonStopped())
        self._audit_thread.stop()
        for thread in self._threads:
            thread.stop()
        if self._database.opened is not None:
            self._database.opened.close()
            self._database.opened = None


def _now_or_raise(done: Deferred[Any]) -> None:
    """What is done at once has an outcome now."""
    failures: list[Failure] = []
    done.addErrback(failures.append)
    if failures:
        failures[0].raiseException()
