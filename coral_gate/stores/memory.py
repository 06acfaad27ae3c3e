"""
The tables that the stores in memory share; gone when the process ends.
"""

from __future__ import annotations

from attrs import define, field

from coral_gate.errors import Conflict, NotPermitted
from coral_gate.model import Role, SandboxId
from coral_gate.records import (
    AsAdministrator,
    Because,
    Handoff,
    Principal,
    Revocation,
    RevocationKind,
    Sandbox,
    SandboxSession,
    Session,
    Ticket,
    User,
    UserRowId,
)
from coral_gate.stores.access import Table, Verb, may, may_all


@define
class MemoryTables:
    """Rows by key. Every method of a store that changes something does so without a wait, so that it is whole or not."""

    users: dict[UserRowId, User] = field(factory=dict)
    sessions: dict[bytes, Session] = field(factory=dict)
    children: dict[bytes, SandboxSession] = field(factory=dict)
    handoffs: dict[bytes, Handoff] = field(factory=dict)
    tickets: dict[bytes, Ticket] = field(factory=dict)
    sandboxes: dict[SandboxId, Sandbox] = field(factory=dict)
    revocations: list[Revocation] = field(factory=list)
    last_seq: int = 0

    def admit(self, by: Principal) -> None:
        """
        Look an administrator's right up, now.

        :raises NotPermitted: `by` says administrator and is none, or is disabled.
        """
        if isinstance(by, AsAdministrator):
            user = self.users.get(by.user)
            if user is None or user.disabled or user.role is not Role.ADMINISTRATOR:
                raise NotPermitted

    def may(self, by: Principal, table: Table, verb: Verb, owner: str) -> bool:
        """Whether the verb is granted on a row of this owner; raises as `admit` does."""
        self.admit(by)
        return may(by, table, verb, owner)

    def require_all(self, by: Principal, table: Table, *verbs: Verb) -> None:
        """
        Go on only where these verbs are granted on every row.

        :raises NotPermitted: one of them is not.
        """
        self.admit(by)
        if not all(may_all(by, table, verb) for verb in verbs):
            raise NotPermitted

    def require_new(self, digest: bytes) -> None:
        """
        Go on only where no session, sandbox session, code or ticket has this digest.

        :raises Conflict: one has it.
        """
        if digest in self.sessions or digest in self.children or digest in self.handoffs or digest in self.tickets:
            raise Conflict

    def revoke(self, kind: RevocationKind, subject: str, user: UserRowId, because: Because) -> None:
        """Number a revocation."""
        self.last_seq += 1
        self.revocations.append(Revocation(self.last_seq, kind, subject, user, because.reason, because.at))

    def end_session(self, session: Session, because: Because) -> None:
        """Delete a session with its children, hand-offs and tickets; one revocation stands for all of them."""
        self.children = {digest: child for digest, child in self.children.items() if child.parent != session.digest}
        self.handoffs = {digest: code for digest, code in self.handoffs.items() if code.session != session.digest}
        self.tickets = {digest: ticket for digest, ticket in self.tickets.items() if ticket.session != session.digest}
        del self.sessions[session.digest]
        self.revoke(RevocationKind.SESSION, session.id, session.user, because)

    def sessions_of(self, user: UserRowId) -> list[Session]:
        """A user's sessions, the newest first."""
        mine = (session for session in self.sessions.values() if session.user == user)
        return sorted(mine, key=lambda session: (session.created_at, session.id), reverse=True)
