"""
Making and unmaking sandboxes: the row, the credential, the driver, in an order that a crash may cut anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Protocol

from attrs import define, evolve, field
from twisted.internet.defer import DeferredLock

from coral_gate.audit.events import SandboxChanged
from coral_gate.errors import Conflict
from coral_gate.interfaces import IAuditSink, ISandboxDriver, ISandboxStore, IUserStore
from coral_gate.model import Condition, SandboxId, SandboxState, Secret, ServiceName, UserId
from coral_gate.records import AsGate, Because, Capacity, Sandbox, UserRowId

NEW: Final = "new"
"""The state of a row whose sandbox is not made yet."""
STOPPED: Final = "stopped"
RUNNING: Final = "running"
DESTROYING: Final = "destroying"
"""The state of a row whose sandbox is being destroyed; nothing but its end can come."""

_GATE: Final = AsGate(Capacity.SANDBOXES)
_OPERATOR: Final = AsGate(Capacity.OPERATOR)

Tell = Callable[[str], None]


class NoSuchSandbox(Conflict):
    """There is no such sandbox, or it was destroyed, or it is no driver's of this daemon."""

    sentence = "There is no such sandbox that this daemon makes; 'coral-gate sandbox list' shows those there are."


class NoSuchOwner(Conflict):
    """Nobody with this issuer and subject may sign in."""

    sentence = "There is no such person; 'coral-gate user list' shows everybody."


class NoSuchDriver(Conflict):
    """This daemon has no driver of that name."""

    sentence = "This daemon has no driver of that name that makes sandboxes."


class BeingDestroyed(Conflict):
    """The destruction of a sandbox has begun and can only be finished."""

    sentence = "The sandbox is being destroyed; ask for that again to finish it."


class Vault(Protocol):
    """What is needed of the credentials; see `custody.credentials.CredentialVault`."""

    async def open(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        """See there."""

    async def rotate(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret:
        """See there."""

    async def destroy(self, owner: UserId, sandbox: SandboxId) -> None:
        """See there."""


@define(eq=False)
class Housekeeper:
    """
    Makes, starts, stops and destroys sandboxes. Each method may be asked for again after it was cut short, and finishes then.

    Each step is recorded before it takes effect. One thing at a time is done with a sandbox.

    :param drivers: what makes sandboxes, by its word.
    :param origin: a sandbox's own web origin.
    :param cut: ends every stream to a sandbox and forgets what is kept of it in memory.
    :param now: aware, UTC.
    :param new_id: draws an id.
    """

    _sandboxes: ISandboxStore
    _users: IUserStore
    _vault: Vault
    _audit: IAuditSink
    _drivers: Mapping[str, ISandboxDriver]
    _origin: Callable[[SandboxId], str]
    _cut: Callable[[SandboxId], object]
    _now: Callable[[], datetime]
    _new_id: Callable[[], SandboxId]
    _locks: dict[SandboxId, tuple[DeferredLock, int]] = field(factory=dict, init=False)

    async def create(self, owner: UserId, name: str, driver: str, tell: Tell) -> Sandbox:
        """
        Make a sandbox for somebody; it is not started. Where it was cut short, `start` finishes it and `destroy` undoes it.

        :raises NoSuchOwner: as it says; so does `NoSuchDriver`.
        :raises ValueError: the name is none.
        """
        user = await self._users.find(owner)
        if user is None:
            raise NoSuchOwner
        if driver not in self._drivers:
            raise NoSuchDriver
        row = Sandbox(self._new_id(), user.id, name, driver, NEW, self._now())
        await self._record(row, owner, "created", driver)
        row = await self._sandboxes.put(_GATE, row)
        tell(f"making {row.id}")
        async with _Held(self._locks, row.id):
            await self._furnish(row, owner)
            return await self._become(row, STOPPED)

    async def start(self, sandbox: SandboxId, tell: Tell) -> Sandbox:
        """
        Start a sandbox, with its present credentials; returns when its app answers.

        :raises NoSuchSandbox: as it says; so does `BeingDestroyed`.
        :raises DriverFault: it did not come up.
        """
        async with _Held(self._locks, sandbox):
            row, owner = await self._alive(sandbox)
            await self._record(row, owner, "started")
            tell("giving it its credentials")
            await self._furnish(row, owner)
            tell("starting")
            await self._drivers[row.driver].start(sandbox)
            return await self._become(row, RUNNING)

    async def stop(self, sandbox: SandboxId, tell: Tell) -> Sandbox:
        """Stop a sandbox; raises as `start` does."""
        async with _Held(self._locks, sandbox):
            row, owner = await self._alive(sandbox)
            await self._record(row, owner, "stopped")
            tell("stopping")
            await self._drivers[row.driver].stop(sandbox)
            return await self._become(row, STOPPED)

    async def rotate(self, sandbox: SandboxId, service: ServiceName, tell: Tell) -> None:
        """
        Give a sandbox a new credential: sealed first, then told to the sandbox, which takes it over.

        What was opened with the old one is the caller's to cut.

        :raises DriverFault: the sandbox has the old one still; ask again, or start it.
        """
        async with _Held(self._locks, sandbox):
            row, owner = await self._alive(sandbox)
            await self._vault.rotate(owner, sandbox, service)
            tell("telling the sandbox")
            await self._furnish(row, owner)

    async def destroy(self, sandbox: SandboxId, tell: Tell) -> None:
        """
        Destroy a sandbox: its streams, what the driver keeps of it, its credentials; its id is never used again.

        :raises NoSuchSandbox: there is none; also where it was destroyed before.
        :raises DriverFault: not all of it is gone; ask again.
        """
        async with _Held(self._locks, sandbox):
            row, owner = await self._known(sandbox)
            await self._record(row, owner, "destroyed")
            row = await self._become(row, DESTROYING)
            self._cut(sandbox)
            tell("destroying what the driver keeps")
            await self._drivers[row.driver].destroy(sandbox)
            tell("destroying its credentials")
            await self._vault.destroy(owner, sandbox)
            await self._sandboxes.tombstone(_GATE, sandbox, Because("destroyed", self._now()))
            self._cut(sandbox)  # whoever came in meanwhile

    async def conditions(self) -> dict[SandboxId, Condition]:
        """How each sandbox of these drivers is, as they last saw it; what they do not know is left out."""
        found: dict[SandboxId, Condition] = {}
        after: UserRowId | None = None
        while page := await self._users.list(_OPERATOR, after=after):
            for user in page:
                for row in await self._sandboxes.list(_GATE, user.id):
                    driver = self._drivers.get(row.driver)
                    condition = driver.condition(row.id) if driver is not None else Condition(SandboxState.UNKNOWN)
                    if condition.state is not SandboxState.UNKNOWN:
                        found[row.id] = condition
            after = page[-1].id
        return found

    async def _furnish(self, row: Sandbox, owner: UserId) -> None:
        """Make it, or bring it what has changed: the first credential is drawn here, and again where a crash lost it."""
        credentials = {}
        for service in ServiceName:
            found = await self._vault.open(owner, row.id, service)
            if found is None and service is ServiceName.APP:
                found = await self._vault.rotate(owner, row.id, service)
            if found is not None:
                credentials[service] = found
        await self._drivers[row.driver].provide(row.id, self._origin(row.id), credentials)

    async def _known(self, sandbox: SandboxId) -> tuple[Sandbox, UserId]:
        row = await self._sandboxes.find(_GATE, sandbox)
        if row is None or row.destroyed_at is not None or row.driver not in self._drivers:
            raise NoSuchSandbox
        user = await self._users.get(_OPERATOR, UserRowId(row.owner))
        if user is None:
            raise NoSuchOwner
        return row, user.who

    async def _alive(self, sandbox: SandboxId) -> tuple[Sandbox, UserId]:
        row, owner = await self._known(sandbox)
        if row.state == DESTROYING:
            raise BeingDestroyed
        return row, owner

    async def _become(self, row: Sandbox, state: str) -> Sandbox:
        return row if row.state == state else await self._sandboxes.put(_GATE, evolve(row, state=state))

    async def _record(self, row: Sandbox, owner: UserId, change: str, to: str = "") -> None:
        await self._audit.record(SandboxChanged(sandbox=row.id, user=owner, change=change, to=to, reason="operator"))


@define
class _Held:
    """A sandbox's lock, kept for as long as somebody holds it or waits for it."""

    _locks: dict[SandboxId, tuple[DeferredLock, int]]
    _sandbox: SandboxId

    async def __aenter__(self) -> None:
        lock, holders = self._locks.get(self._sandbox, (DeferredLock(), 0))
        self._locks[self._sandbox] = (lock, holders + 1)
        try:
            await lock.acquire()
        except BaseException:
            self._let_go()
            raise

    async def __aexit__(self, *why: object) -> None:
        self._locks[self._sandbox][0].release()
        self._let_go()

    def _let_go(self) -> None:
        lock, holders = self._locks[self._sandbox]
        if holders > 1:
            self._locks[self._sandbox] = (lock, holders - 1)
        else:
            del self._locks[self._sandbox]
