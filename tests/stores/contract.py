"""
What the contract suites share: an empty set of stores, people and values to put into them.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.model import Role, SandboxId, UserId
from coral_gate.records import (
    AsAdministrator,
    AsGate,
    AsUser,
    Because,
    Capacity,
    Handoff,
    Sandbox,
    SandboxSession,
    Session,
    SessionId,
    SessionLabel,
    Ticket,
    User,
    new_session_id,
)
from coral_gate.stores.providers import Stores

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
OPERATOR = AsGate(Capacity.OPERATOR)
LABEL = SessionLabel("Firefox on Linux", "192.0.2.7")
BECAUSE = Because("signed out", NOW)


def later(seconds: float) -> datetime:
    """So many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def digest(text: str) -> bytes:
    """A digest that tests can name."""
    return sha256(text.encode()).digest()


def box_id(letter: str) -> SandboxId:
    """A sandbox's id that tests can name."""
    return SandboxId(letter * 26)


def a_session(user: User, name: str, **changes: Any) -> Session:  # Any: whichever fields a test wants otherwise
    """A session of this user, whose token is `name`."""
    values: dict[str, Any] = {  # Any: as above
        "id": new_session_id(),
        "digest": digest(name),
        "user": user.id,
        "created_at": NOW,
        "last_seen_at": NOW,
        "absolute_expires_at": later(12 * 3600),
        "idle_s": 3600,
        "auth_time": later(-60),
        "label": LABEL,
    }
    return Session(**{**values, **changes})


def a_child(parent: Session, name: str, sandbox: SandboxId, at: datetime = NOW) -> SandboxSession:
    """A sandbox session below a session."""
    return SandboxSession(new_session_id(), digest(name), parent.digest, parent.user, sandbox, at, at)


def a_handoff(session: Session, name: str, expires_at: datetime) -> Handoff:
    """A code for this session."""
    return Handoff(digest(name), session.user, session.digest, box_id("b"), digest("browser"), "/a?b=c", expires_at)


def a_ticket(session: Session, name: str, expires_at: datetime) -> Ticket:
    """A ticket of this session."""
    return Ticket(digest(name), session.user, session.digest, box_id("b"), "control", "https://b.example", expires_at)


def a_sandbox(user: User, letter: str, at: datetime = NOW) -> Sandbox:
    """A sandbox of this user."""
    return Sandbox(box_id(letter), user.id, f"Sandbox {letter}", "static", "stopped", at)


if TYPE_CHECKING:
    Base = SynchronousTestCase
else:
    Base = object  # so that trial runs a suite only where a provider is given


class Asking(Base):
    """A test case that asks what answers at once."""

    def ask(self, coroutine: Coroutine[Deferred[Any], Any, T]) -> T:  # Any: what Deferred.fromCoroutine takes
        """What the store answers, at once."""
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, why: type[E], coroutine: Coroutine[Deferred[Any], Any, object]) -> E:  # Any: as above
        """The fault that the store answers with."""
        value = self.failureResultOf(Deferred.fromCoroutine(coroutine), why).value
        assert isinstance(value, why)
        return value


class StoreContract(Asking):
    """A suite; the class that gives `build` is the one that runs."""

    if TYPE_CHECKING:

        def build(self) -> Stores:
            """Empty stores that share their tables."""
            ...

    def setUp(self) -> None:
        super().setUp()
        self.stores = self.build()

    def person(self, sub: str, role: Role = Role.USER) -> User:
        """A user who may sign in."""
        return self.ask(self.stores.users.allow(OPERATOR, UserId("https://issuer.example", sub), role, NOW))

    def signed_in(self, user: User, name: str, **changes: Any) -> Session:  # Any: as in a_session
        """A session that is kept."""
        session = a_session(user, name, **changes)
        self.ask(self.stores.sessions.create(session, most=10))
        return session

    def ids_of(self, user: User) -> list[SessionId]:
        """A user's sessions, as their list shows them."""
        return [session.id for session in self.ask(self.stores.sessions.list(AsUser(user.id), user.id))]

    def news(self, since: int = 0) -> list[tuple[str, str]]:
        """The revocations after a number: kind and subject."""
        rows = self.ask(self.stores.revocations.since(since))
        assert rows is not None
        return [(row.kind.value, row.subject) for row in rows]


def as_user(user: User) -> AsUser:
    """This user, asking for themselves."""
    return AsUser(user.id)


def as_admin(user: User) -> AsAdministrator:
    """This user, asking as an administrator."""
    return AsAdministrator(user.id)
