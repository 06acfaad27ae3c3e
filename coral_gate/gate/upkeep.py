"""
What has to be done again and again: follow what was revoked elsewhere, write what was seen, delete what is over.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from coral_gate.gate.closings import GONE, locked
from coral_gate.gate.sessions import Sessions
from coral_gate.interfaces import IHandoffStore, IRevocationLog, ISandboxStore, ITicketStore
from coral_gate.model import SandboxId
from coral_gate.records import Revocation, RevocationKind, SessionId, UserRowId
from coral_gate.visitor import Closing

FOLLOW_S = 1.0
"""How often the log of revocations is asked, which another process on this machine may have written."""
LEASE_S = 10.0
"""So long after the log was last heard, no answer is taken from memory any more."""
WRITE_S = 30.0
"""How often it is written when sessions were last seen."""
PURGE_S = 600.0
KEYS_S = 60.0
"""How often it is looked whether the master keys are still there."""


@define(eq=False)
class Upkeep:
    """
    Follows revocations and keeps the stores tidy, while it runs.

    :param clock: for the intervals; monotonic as far as the reactor's is.
    :param keys: what users' keys ask for now and then.
    :param tidy: what the stores ask for after much was deleted.
    :param drop_credential: forgets what is kept of a sandbox's credentials; `drop_credentials` what is kept of any.
    """

    revocations: IRevocationLog
    sessions: Sessions
    handoffs: IHandoffStore
    tickets: ITicketStore
    sandboxes: ISandboxStore
    clock: IReactorTime
    keys: Callable[[], Awaitable[None]] | None = None
    tidy: Callable[[], Awaitable[None]] | None = None
    drop_credential: Callable[[SandboxId], object] = lambda sandbox: None
    drop_credentials: Callable[[], object] = lambda: None
    _seq: int = field(default=-1, init=False)
    _heard_at: float = field(default=0.0, init=False)
    _loops: list[LoopingCall] = field(factory=list, init=False)
    _log = Logger()

    def start(self) -> None:
        """Begin; no answer is taken from memory before the log was heard for the first time."""
        self.sessions.trusted = False
        works: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (FOLLOW_S, self.keep_lease),
            (FOLLOW_S, self.follow),
            (WRITE_S, self.sessions.write_seen),
            (PURGE_S, self._purge),
        ]
        if self.keys is not None:
            works.append((KEYS_S, self.keys))
        for seconds, work in works:
            loop = LoopingCall(self._tolerating, work)
            loop.clock = self.clock
            loop.start(seconds, now=seconds == FOLLOW_S).addErrback(lambda failure: self._log.failure("upkeep ended", failure))
            self._loops.append(loop)

    async def stop(self) -> None:
        """End, after writing once more when sessions were last seen."""
        for loop in self._loops:
            loop.stop()
        self._loops.clear()
        await self._tolerating_async(self.sessions.write_seen)

    async def keep_lease(self) -> None:
        """Trust nothing any more that memory says, once the log was not heard for too long: an answer that never comes is none."""
        if self.sessions.monotonic() - self._heard_at > LEASE_S:
            self.sessions.trusted = False
            if self.sessions.watcher is not None:
                self.sessions.watcher.all_doubtful()

    async def follow(self) -> None:
        """Ask what was revoked since the last time, and drop every answer in memory that it touches."""
        last = await self.revocations.last()
        if last != self._seq:
            found = await self.revocations.since(self._seq) if self._seq >= 0 else None
            if found is None:
                self.drop_credentials()
                self.sessions.forget_all()
                self._seq = last
            else:
                for user in [UserRowId(one.subject) for one in found if one.kind is RevocationKind.USER]:
                    self.sessions.shut_out(user)  # first: the end of their sessions, which comes with it, says less
                for revocation in found:
                    if revocation.seq > self._seq:  # an operator's command may have had it followed meanwhile
                        self._apply(revocation)
                        self._seq = revocation.seq
        self._heard_at = self.sessions.monotonic()
        self.sessions.trusted = True

    def _apply(self, revocation: Revocation) -> None:
        if revocation.kind is RevocationKind.SANDBOX:
            self._close(SandboxId(revocation.subject), GONE)
        elif revocation.kind is RevocationKind.LOCK:
            self._close(SandboxId(revocation.subject), locked(revocation.reason))
        elif revocation.kind is RevocationKind.UNLOCK:
            self.sessions.forget_sandbox(SandboxId(revocation.subject), None)
        elif revocation.kind is RevocationKind.CREDENTIAL:
            self._change(SandboxId(revocation.subject))
        elif revocation.kind in (RevocationKind.USER, RevocationKind.ROLE):
            self.sessions.forget_user(UserRowId(revocation.subject))
        elif revocation.kind is RevocationKind.SESSION:
            self.sessions.forget_session(SessionId(revocation.subject), revocation.reason)
        else:
            self.sessions.forget_user(revocation.user)

    def _close(self, sandbox: SandboxId, closing: Closing) -> None:
        self.drop_credential(sandbox)
        self.sessions.forget_sandbox(sandbox, closing)

    def _change(self, sandbox: SandboxId) -> None:
        self.drop_credential(sandbox)  # first: whoever connects again must not get the old one
        if self.sessions.watcher is not None:
            self.sessions.watcher.credential_changed(sandbox)

    async def _purge(self) -> None:
        now = datetime.fromtimestamp(self.sessions.now(), UTC)
        await self.sessions.store.purge(now)
        await self.handoffs.purge(now)
        await self.tickets.purge(now)
        await self.sandboxes.purge(now)
        if self.tidy is not None:
            await self.tidy()

    def _tolerating(self, work: Callable[[], Awaitable[None]]) -> Deferred[None]:
        return Deferred.fromCoroutine(self._tolerating_async(work))

    async def _tolerating_async(self, work: Callable[[], Awaitable[None]]) -> None:
        """A failure is for the log, and for the next time."""
        try:
            await work()
        except Exception:  # whatever it is, the loop must go on, and the lease ends by itself
            self._log.failure("upkeep could not be done and will be tried again")
