"""
What is taken away in a database, and the number that is committed with it.
"""

from __future__ import annotations

from coral_gate.records import Because, RevocationKind, SessionId, UserRowId
from coral_gate.stores.sql import Row, Rows, octets, text
from coral_gate.stores.times import microseconds


def revoke(rows: Rows, kind: RevocationKind, subject: str, user: UserRowId, because: Because) -> None:
    """Number a revocation, in the transaction of the change that it tells of."""
    rows.execute(
        "INSERT INTO revocations (kind, subject, user_id, reason, at) VALUES (?, ?, ?, ?, ?)",
        (kind.value, subject, user, because.reason, microseconds(because.at)),
    )


def end_session(rows: Rows, session: Row, because: Because) -> SessionId:
    """
    Delete a session with its children, hand-offs and tickets; one revocation stands for all of them.

    :param session: its digest, id and user.
    """
    digest, row_id, user = octets(session[0]), SessionId(text(session[1])), UserRowId(text(session[2]))
    rows.execute("DELETE FROM handoffs WHERE session = ?", (digest,))
    rows.execute("DELETE FROM tickets WHERE session = ?", (digest,))
    rows.execute("DELETE FROM sandbox_sessions WHERE parent = ?", (digest,))
    rows.execute("DELETE FROM sessions WHERE digest = ?", (digest,))
    revoke(rows, RevocationKind.SESSION, row_id, user, because)
    return row_id


def end_sessions_of(rows: Rows, user: UserRowId, because: Because, keep: SessionId | None = None) -> tuple[SessionId, ...]:
    """End a user's sessions but the one to keep; give those that ended, the newest first."""
    mine = "SELECT digest, id, user_id FROM sessions WHERE user_id = ? AND id <> ? ORDER BY created_at DESC, id DESC"
    return tuple(end_session(rows, session, because) for session in rows.execute(mine, (user, keep or "")))
