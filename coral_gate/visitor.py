"""
Who asks, once that is known: a person in one browser.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from coral_gate.model import ChannelKind, CloseCode, SandboxId, UserId
from coral_gate.records import Session, SessionId, User, UserRowId


class Visitor:
    """
    A person in one browser, for as long as their session lives.

    :ivar session: the session's public id, for lists, logs and audit.
    :ivar digest: of the session's token; never shown.
    :ivar user: the user's row; `who` is issuer and subject, `name` and `email` are for display.
    :ivar ends_at: when the session ends at the latest, seconds since the epoch.
    :ivar seen_at: when the last request came, as of the last look at the store.
    :ivar used_at: when the last request came, on the clock that no step moves.
    :ivar good_until: until when, on that clock, this is trusted without asking the store.
    :ivar auth_time: when they last proved who they are.
    """

    __slots__ = (
        "auth_time", "digest", "email", "ends_at", "good_until", "idle_s", "name", "over", "seen_at", "session", "used_at", "user", "who",
    )  # fmt: skip

    def __init__(self, session: Session, user: User) -> None:
        self.session: SessionId = session.id
        self.digest: bytes = session.digest
        self.user: UserRowId = user.id
        self.who: UserId = user.who
        self.name: str | None = user.name
        self.email: str | None = user.email
        self.ends_at = session.absolute_expires_at.timestamp()
        self.idle_s = session.idle_s
        self.seen_at = session.last_seen_at.timestamp()
        self.auth_time = session.auth_time
        self.used_at = self.good_until = 0.0
        self.over = False

    def __repr__(self) -> str:
        return f"<Visitor {self.session}>"

    def lives(self, now: float) -> bool:
        """Whether the session has neither ended nor run out."""
        return not self.over and now < self.ends_at and now < self.seen_at + self.idle_s


@frozen
class Closing:
    """
    Why somebody may not go on.

    :ivar code: what a WebSocket is closed with.
    :ivar reason: what the person reads.
    """

    code: CloseCode
    reason: str


class Guest:
    """
    A visitor at one sandbox's origin.

    :ivar sandbox: the only one that this token is for.
    :ivar closing: why nobody may use the sandbox now, or None.
    :ivar good_until: see `Visitor`.
    """

    __slots__ = ("closing", "digest", "good_until", "over", "sandbox", "visitor")

    def __init__(self, digest: bytes, sandbox: SandboxId, visitor: Visitor, closing: Closing | None = None) -> None:
        self.closing = closing
        self.digest = digest
        self.sandbox = sandbox
        self.visitor = visitor
        self.good_until = visitor.good_until
        self.over = False

    def lives(self, now: float) -> bool:
        """Whether neither it nor its parent has ended or run out."""
        return not self.over and self.visitor.lives(now)


class OpenStream:
    """
    A stream, as the registry of streams knows it.

    :ivar label: names it in lists, logs and audit; gives no right.
    :ivar visitor: whose session it hangs on; replaced by the registry when it has asked the store anew.
    :ivar opened_at: seconds on the clock that no step moves.
    :ivar sent_bytes: what went to the browser; `received_bytes` what came from it. The channel counts them.
    :ivar active_at: when the person last did something on it, on the same clock; the channel writes it, and the session does
        not run idle meanwhile. That a stream is open is no activity.
    """

    __slots__ = ("active_at", "address", "channel", "cut", "label", "opened_at", "received_bytes", "sandbox", "sent_bytes", "visitor")

    def __init__(
        self, label: str, visitor: Visitor, sandbox: SandboxId, channel: ChannelKind, address: str, opened_at: float,
        cut: Callable[[int, str], None],
    ) -> None:  # fmt: skip
        self.label = label
        self.visitor = visitor
        self.sandbox = sandbox
        self.channel = channel
        self.address = address
        self.opened_at = self.active_at = opened_at
        self.cut = cut
        self.sent_bytes = self.received_bytes = 0

    def __repr__(self) -> str:
        return f"<OpenStream {self.label}>"
