"""Sessions in memory, a clock that a test moves, and people."""

from __future__ import annotations

from datetime import UTC, datetime

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from coral_gate.audit.sinks import MemorySink
from coral_gate.config.sections.sessions import SessionsConfig
from coral_gate.gate.handoff import Handoffs
from coral_gate.gate.sessions import Sessions
from coral_gate.gate.tokens import digest_of, new_token
from coral_gate.gate.tombstones import Tombstones
from coral_gate.gate.upkeep import Upkeep
from coral_gate.model import Role, SandboxId, UserId
from coral_gate.records import AsGate, Capacity, SandboxSession, User, new_session_id
from coral_gate.stores.providers import Stores, memory_stores
from coral_gate.visitor import Visitor

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
SANDBOX = SandboxId("a" * 26)
OTHER = SandboxId("b" * 26)


def now(waiting: object) -> object:
    """What a coroutine gives that waits for nothing; its error is raised."""
    outcome: list[object] = []
    Deferred.fromCoroutine(waiting).addBoth(outcome.append)  # type: ignore[arg-type]  # any coroutine of ours
    (result,) = outcome
    if hasattr(result, "raiseException"):
        result.raiseException()
    return result


@define(eq=False)
class Stage:
    """
    A gate's rooms in memory.

    :ivar time: seconds since the epoch; a test moves it.
    :ivar owned: which sandboxes belong to whom.
    """

    config: SessionsConfig = field(factory=SessionsConfig)
    stores: Stores = field(factory=memory_stores)
    audit: MemorySink = field(factory=MemorySink)
    time: float = START.timestamp()
    clock: Clock = field(factory=Clock)
    owned: set[tuple[UserId, SandboxId]] = field(factory=set)
    sessions: Sessions = field(init=False)
    handoffs: Handoffs = field(init=False)
    upkeep: Upkeep = field(init=False)

    def __attrs_post_init__(self) -> None:
        stores = self.stores
        self.sessions = Sessions(
            stores.sessions, stores.users, stores.sandboxes, self.audit, self.config, lambda: self.time, self.clock.seconds
        )
        self.handoffs = Handoffs(stores.handoffs, stores.sessions, self.audit, self.config, self._may_use, lambda: self.time)
        self.upkeep = Upkeep(stores.revocations, self.sessions, stores.handoffs, stores.tickets, stores.sandboxes, self.clock)

    async def _may_use(self, visitor: Visitor, sandbox: SandboxId) -> bool:
        return (visitor.who, sandbox) in self.owned

    def person(self, sub: str = "alice", role: Role = Role.USER) -> User:
        """Somebody who may sign in."""
        who = UserId("https://issuer.example", sub)
        user = now(self.stores.users.allow(AsGate(Capacity.OPERATOR), who, role, START))
        assert isinstance(user, User)
        return user

    def sign_in(self, user: User, replaces: Visitor | None = None) -> tuple[bytes, Visitor]:
        """A session of theirs, and its token."""
        opened = now(self.sessions.open(user, "Browser", "192.0.2.1", None, replaces))
        assert isinstance(opened, tuple)
        token, visitor = opened
        return token.reveal(), visitor

    def enter(self, visitor: Visitor, sandbox: SandboxId = SANDBOX) -> bytes:
        """A sandbox session below a visitor's session, and its token."""
        token, at = new_token().reveal(), datetime.fromtimestamp(self.time, UTC)
        child = SandboxSession(new_session_id(), digest_of(token), visitor.digest, visitor.user, sandbox, at, at)
        assert now(self.stores.sessions.create_child(child, 8))
        return token

    def find(self, token: bytes) -> Visitor | None:
        """Whose session it is, the store asked."""
        visitor = now(self.sessions.find(token))
        assert visitor is None or isinstance(visitor, Visitor)
        return visitor

    def pass_time(self, seconds: float) -> None:
        """Let time pass, on the wall and in the reactor."""
        self.time += seconds
        self.clock.advance(seconds)


def memory_sessions() -> Sessions:
    """Sessions of nobody."""
    return Stage().sessions


def no_tombstones() -> Tombstones:
    """No sandbox was ever destroyed."""
    return Tombstones(memory_stores().sandboxes, lambda: 0.0)
