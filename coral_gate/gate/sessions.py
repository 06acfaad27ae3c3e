"""
Sessions: who a browser is, asked on every request and answered from memory while nothing has been revoked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Protocol, TypeVar

from attrs import define, field
from twisted.logger import Logger

from coral_gate.audit.events import SessionEnded, SessionOpened
from coral_gate.config.sections.sessions import SessionsConfig
from coral_gate.errors import Unavailable
from coral_gate.gate.closings import GONE, closing_of
from coral_gate.gate.tokens import digest_of, new_token
from coral_gate.interfaces import IAuditSink, ISandboxStore, ISessionStore, IUserStore
from coral_gate.model import Role, SandboxId, Secret
from coral_gate.records import (
    AsGate,
    AsUser,
    Because,
    Capacity,
    Session,
    SessionId,
    SessionLabel,
    User,
    UserRowId,
    display_text,
    new_session_id,
)
from coral_gate.visitor import Closing, Guest, Visitor

_ASKED_AGAIN = 5
"""How often the store is asked again where something was revoked while it answered."""

_CACHED = 20_000
"""How many answers are kept; the one that was asked for longest ago gives way."""

_T = TypeVar("_T")
_SESSIONS = AsGate(Capacity.SESSIONS)


class Unknown:
    """The answer is not in memory: ask the store."""


UNKNOWN = Unknown()


class Watcher(Protocol):
    """Who has to hear what ends: the registry of streams."""

    def session_over(self, session: SessionId, reason: str) -> None:
        """A session has ended."""

    def user_out(self, user: UserRowId) -> None:
        """A user may not sign in any more."""

    def user_changed(self, user: UserRowId) -> None:
        """Something about a user has changed."""

    def sandbox_over(self, sandbox: SandboxId, closing: Closing) -> None:
        """Nobody may use a sandbox any more."""

    def credential_changed(self, sandbox: SandboxId) -> None:
        """What is open to a sandbox was opened with a credential that is no more."""

    def all_doubtful(self) -> None:
        """Something may have ended that nobody heard of."""


@define(eq=False)
class Sessions:
    """
    Opens, checks and ends sessions, and says whether a sandbox may be used at all.

    A cached answer is used for `cache_s` seconds and never after the session was revoked here; `trusted` says whether
    revocations made elsewhere are known to arrive.

    :param now: seconds since the epoch: lifetimes outlast a restart, so they are counted on the wall clock.
    :param monotonic: seconds that no step of the wall clock moves, for how long an answer is kept.
    :ivar admitted: whether somebody may still be in; who may not is nobody, whatever session they have.
    :ivar trusted: while False, every check asks the store.
    :ivar watcher: hears what ends, at once.
    """

    store: ISessionStore
    users: IUserStore
    sandboxes: ISandboxStore
    audit: IAuditSink
    config: SessionsConfig
    now: Callable[[], float]
    monotonic: Callable[[], float]
    trusted: bool = True
    admitted: Callable[[User], bool] = lambda user: True
    watcher: Watcher | None = None
    _epoch: int = field(default=0, init=False, repr=False)
    _visitors: OrderedDict[bytes, Visitor] = field(factory=OrderedDict, init=False, repr=False)
    _guests: OrderedDict[bytes, Guest] = field(factory=OrderedDict, init=False, repr=False)
    _seen: dict[bytes, float] = field(factory=dict, init=False, repr=False)
    _log = Logger()

    # -- checking ------------------------------------------------------------------------------------------------------

    def cached(self, token: bytes) -> Visitor | Unknown:
        """Whose session a token is, from memory alone; `UNKNOWN` where the store must be asked."""
        visitor = self._visitors.get(sha256(token).digest())
        if visitor is None or not self.trusted:
            return UNKNOWN
        now = self.monotonic()
        if now >= visitor.good_until:
            return UNKNOWN
        visitor.used_at = now
        return visitor

    def glance(self, token: bytes) -> Visitor | Unknown:
        """The same as `cached`, but to look is no use of the session, and keeps it no longer."""
        visitor = self._visitors.get(sha256(token).digest())
        known = visitor is not None and self.trusted and self.monotonic() < visitor.good_until and self.runs(visitor)
        return visitor if visitor is not None and known else UNKNOWN

    def cached_guest(self, token: bytes) -> Guest | Unknown:
        """The same for a token of a sandbox origin."""
        guest = self._guests.get(sha256(token).digest())
        if guest is None or not self.trusted:
            return UNKNOWN
        now = self.monotonic()
        if now >= guest.good_until:
            return UNKNOWN
        guest.visitor.used_at = now
        return guest

    async def find(self, token: bytes) -> Visitor | None:
        """
        Whose session a token is; asks the store.

        :raises Unavailable: the store cannot say; nobody may be let in.
        """
        return await self.find_digest(digest_of(token))

    async def find_digest(self, digest: bytes) -> Visitor | None:
        """Whose session has this digest; asks the store."""
        return await self._stable(lambda: self._find(digest))

    async def look(self, digest: bytes) -> Visitor | None:
        """
        Whose session has this digest, by the store, as `find_digest`; but to look is no use of it, and keeps it no longer.

        :raises Unavailable: the store cannot say.
        """
        return await self._stable(lambda: self._look(digest))

    def used(self, visitor: Visitor, at: float) -> None:
        """
        A person has done something, by other means than a request.

        :param at: when, on the clock that no step moves.
        """
        if at > visitor.used_at:
            visitor.used_at = at
            self._seen[visitor.digest] = max(self._seen.get(visitor.digest, 0.0), self._last_used(visitor, self.now()))

    def runs(self, visitor: Visitor) -> bool:
        """Whether a session has neither ended nor run out, as far as memory knows."""
        now = self.now()
        visitor.seen_at = max(visitor.seen_at, self._seen.get(visitor.digest, 0.0), self._last_used(visitor, now))
        return visitor.lives(now)

    async def find_guest(self, token: bytes) -> Guest | None:
        """The same for a token of a sandbox origin."""
        return await self._stable(lambda: self._find_guest(digest_of(token)))

    async def _stable(self, ask: Callable[[], Awaitable[_T | None]]) -> _T | None:
        """An answer during which nothing was revoked: else what was read may be from before."""
        for _ in range(_ASKED_AGAIN):
            epoch = self._epoch
            answer = await ask()
            if epoch == self._epoch:
                return answer
        raise Unavailable

    async def _find(self, digest: bytes) -> Visitor | None:
        epoch, session = self._epoch, await self.store.find(digest)
        return await self._visitor(session, epoch) if session is not None else None

    async def _look(self, digest: bytes) -> Visitor | None:
        epoch, session = self._epoch, await self.store.find(digest)
        user = await self.users.get(_SESSIONS, session.user) if session is not None else None
        if session is None or user is None or user.disabled or not self.admitted(user) or epoch != self._epoch:
            return None
        visitor = self._visitors.get(digest) or Visitor(session, user)
        return visitor if self.runs(visitor) else None

    async def _find_guest(self, digest: bytes) -> Guest | None:
        epoch, found = self._epoch, await self.store.find_child(digest)
        visitor = await self._visitor(found[1], epoch) if found is not None else None
        if found is None or visitor is None or epoch != self._epoch:
            return None
        guest = Guest(digest, found[0].sandbox, visitor, await self.closing(found[0].sandbox))
        if epoch != self._epoch:
            return None
        _keep(self._guests, digest, guest)
        return guest

    async def closing(self, sandbox: SandboxId) -> Closing | None:
        """Why nobody may use a sandbox now, see `closings.closing_of`."""
        return await closing_of(self.sandboxes, sandbox)

    async def _visitor(self, session: Session, epoch: int) -> Visitor | None:
        asked_at = self.monotonic()
        user = await self.users.get(_SESSIONS, session.user)
        if user is None or user.disabled or not self.admitted(user) or epoch != self._epoch:
            return None
        fresh = Visitor(session, user)
        visitor = self._visitors.get(session.digest) or fresh  # one object, so that its guests use it too
        visitor.name, visitor.email = fresh.name, fresh.email
        now = self.now()
        visitor.seen_at = max(fresh.seen_at, visitor.seen_at, self._seen.get(session.digest, 0.0), self._last_used(visitor, now))
        if not visitor.lives(now):
            return None
        visitor.seen_at = self._seen[session.digest] = now
        self._trust(visitor, asked_at)
        return visitor

    def _trust(self, visitor: Visitor, asked_at: float) -> None:
        """
        Answer from memory for a while.

        A session that lives now cannot run idle within that while, which is shorter; its absolute end it can reach.
        """
        visitor.used_at = asked_at
        visitor.good_until = asked_at + min(self.config.cache_s, visitor.ends_at - self.now())
        _keep(self._visitors, visitor.digest, visitor)

    def _last_used(self, visitor: Visitor, now: float) -> float:
        """When a session was last used from memory, on the wall clock."""
        return now - (self.monotonic() - visitor.used_at) if visitor.used_at else 0.0

    # -- opening and ending --------------------------------------------------------------------------------------------

    async def open(
        self, user: User, agent: str, address: str, auth_time: datetime | None, replaces: Visitor | None
    ) -> tuple[Secret, Visitor]:
        """
        Open a session for somebody who has just signed in; recorded before it exists.

        :param replaces: the session that this browser had: it ends, so that no token outlives a sign-in.
        :return: the token for the cookie, and who it makes of the browser.
        :raises AuditUnavailable: it could not be recorded; nobody was signed in.
        """
        token, now = new_token(), _utc(self.now())
        session = Session(
            id=new_session_id(),
            digest=digest_of(token.reveal()),
            user=user.id,
            created_at=now,
            last_seen_at=now,
            absolute_expires_at=now + timedelta(seconds=self.config.absolute_s),
            idle_s=round(self.config.idle_s),
            auth_time=min(auth_time or now, now),
            label=SessionLabel(display_text(agent, 120), address),
        )
        await self.audit.record(SessionOpened(who=user.who, address=address, session=session.id))
        for ended in await self.store.create(session, self.config.most_per_user):
            self.forget_session(ended, "limit")
        if replaces is not None:
            await self.end(replaces, "replaced", address)
        visitor = Visitor(session, user)
        self._trust(visitor, self.monotonic())
        return token, visitor

    async def end(self, visitor: Visitor, reason: str, address: str = "") -> None:
        """End a session, with the sandbox sessions below it, at once."""
        await self.audit.record(SessionEnded(who=visitor.who, address=address, session=visitor.session, reason=reason))
        await self.store.end(visitor.digest, Because(reason, _utc(self.now())))
        visitor.over = True
        self.forget_session(visitor.session, reason)

    async def end_other(self, visitor: Visitor, session: SessionId, address: str) -> bool:
        """End one of a visitor's own sessions by its public id; False where they have none of that id, and nothing is recorded."""
        if all(one.id != session for one in await self.list(visitor)):
            return False
        await self.audit.record(SessionEnded(who=visitor.who, address=address, session=session, reason="ended-by-user"))
        ended = await self.store.end_by_id(AsUser(visitor.user), session, Because("ended-by-user", _utc(self.now())))
        self.forget_session(session, "ended-by-user")
        return ended

    async def end_others(self, visitor: Visitor, address: str) -> int:
        """End all of a visitor's sessions but this one; gives how many."""
        await self.audit.record(SessionEnded(who=visitor.who, address=address, session="all-others", reason="ended-by-user"))
        ended = await self.store.end_all(AsUser(visitor.user), visitor.user, Because("ended-by-user", _utc(self.now())), visitor.session)
        for session in ended:  # also those that are not in memory: they may have streams
            self.forget_session(session, "ended-by-user")
        return len(ended)

    async def list(self, visitor: Visitor) -> tuple[Session, ...]:
        """A visitor's own sessions that live, the newest first."""
        now = _utc(self.now())
        return tuple(one for one in await self.store.list(AsUser(visitor.user), visitor.user) if not one.is_over(now))

    async def role(self, visitor: Visitor) -> Role | None:
        """The role that a visitor has at this moment, never from memory; None for one who is no user or disabled."""
        user = await self.users.get(_SESSIONS, visitor.user)
        return user.role if user is not None and not user.disabled else None

    # -- forgetting ----------------------------------------------------------------------------------------------------

    def forget_session(self, session: SessionId, reason: str = "") -> None:
        """A session has ended: its answers are dropped, its streams cut, and whoever holds its visitor sees that it is over."""
        self._drop(lambda visitor: visitor.session == session)
        if self.watcher is not None:
            self.watcher.session_over(session, reason)

    def shut_out(self, user: UserRowId) -> None:
        """A user is disabled or deleted: whatever they have open is cut for that reason, before their sessions end."""
        self._drop(lambda visitor: visitor.user == user)
        if self.watcher is not None:
            self.watcher.user_out(user)

    def forget_user(self, user: UserRowId) -> None:
        """Something about a user has changed: ask the store again for each of their sessions."""
        self._drop(lambda visitor: visitor.user == user)
        if self.watcher is not None:
            self.watcher.user_changed(user)

    def forget_sandbox(self, sandbox: SandboxId, closing: Closing | None = GONE) -> None:
        """
        Whether a sandbox may be used has changed: for each of its guests it is asked again.

        :param closing: why nobody may use it now; its streams are cut with that. None where somebody may.
        """
        self._epoch += 1
        for guest in [guest for guest in self._guests.values() if guest.sandbox == sandbox]:
            guest.over = True
            del self._guests[guest.digest]
        if self.watcher is not None and closing is not None:
            self.watcher.sandbox_over(sandbox, closing)

    def forget_all(self) -> None:
        """Revocations may have been missed: trust no answer that is in memory."""
        self._epoch += 1
        self._visitors.clear()
        self._guests.clear()
        if self.watcher is not None:
            self.watcher.all_doubtful()

    def _drop(self, doomed: Callable[[Visitor], bool]) -> None:
        self._epoch += 1
        for guest in [guest for guest in self._guests.values() if doomed(guest.visitor)]:
            del self._guests[guest.digest]
        for visitor in [visitor for visitor in self._visitors.values() if doomed(visitor)]:
            visitor.over = True  # whoever holds it still asks again
            del self._visitors[visitor.digest]

    async def write_seen(self) -> None:
        """Write when sessions were last seen; what could not be written is kept for the next time."""
        now = self.now()
        for digest, visitor in self._visitors.items():
            self._seen[digest] = max(self._seen.get(digest, 0.0), self._last_used(visitor, now))
        seen, self._seen = self._seen, {}
        try:
            await self.store.touch_many({digest: _utc(at) for digest, at in seen.items()})
        except Exception:
            self._seen = {**seen, **self._seen}
            raise


def _keep(cache: OrderedDict[bytes, _T], digest: bytes, answer: _T) -> None:
    cache[digest] = answer
    cache.move_to_end(digest)
    while len(cache) > _CACHED:
        cache.popitem(last=False)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
