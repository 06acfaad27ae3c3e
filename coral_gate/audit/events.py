"""
Audit events: each kind of decision as a typed value with a schema.

Values only: this module imports nothing but the model, so every room may build its own events. A new kind is a class
at the end of its group and a line in `EVENT_TYPES`; a field once written keeps its name and its meaning for ever.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen

from coral_gate.audit.event import Change, Event, Refusal
from coral_gate.audit.fields import label, number, person, text, word
from coral_gate.model import UserId

# -- people and their sessions -----------------------------------------------------------------------------------------


@frozen(kw_only=True)
class SignInRefused(Refusal):
    """A sign-in was refused; no session came of it."""

    type: ClassVar[str] = "sign_in.refused"


@frozen(kw_only=True)
class SessionOpened(Event):
    """
    A session is being opened.

    :ivar session: the session's label, made from its digest and never from its token.
    """

    type: ClassVar[str] = "session.opened"
    session: str = field(converter=label)


@frozen(kw_only=True)
class SessionEnded(Change):
    """A session is being ended; `reason` says why (`signed_out`, `expired`, `revoked`, ...)."""

    type: ClassVar[str] = "session.ended"
    session: str = field(converter=label)


@frozen(kw_only=True)
class UserChanged(Change):
    """
    A user's role or rights are being changed.

    :ivar user: whose.
    :ivar change: what (`created`, `role`, `removed`, ...).
    :ivar to: the new value, where there is one to show.
    """

    type: ClassVar[str] = "user.changed"
    user: UserId | None = field(converter=person)
    change: str = field(converter=word)
    to: str = field(default="", converter=label)


@frozen(kw_only=True)
class LockChanged(Change):
    """
    A lock on a user, a sandbox or everything is being set or lifted.

    :ivar change: `set` or `lifted`.
    :ivar user: the locked user, if it is a user.
    :ivar why: the administrator's words.
    """

    type: ClassVar[str] = "lock.changed"
    change: str = field(converter=word)
    user: UserId | None = field(default=None, converter=person)
    why: str = field(default="", converter=text)


# -- requests ----------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class RequestRefused(Refusal):
    """
    A request was refused.

    :ivar route: the name of the route in the route table; never the path, which can hold a secret.
    """

    type: ClassVar[str] = "request.refused"
    route: str = field(default="", converter=label)


@frozen(kw_only=True)
class RequestCounted(Event):
    """
    Further requests of one session to one sandbox were allowed.

    :ivar session: the session's label; empty in the summary of what was too much to tell apart.
    :ivar count: how many.
    :ivar seconds: over how long.
    """

    type: ClassVar[str] = "request.counted"
    session: str = field(converter=label)
    count: int = field(converter=number)
    seconds: int = field(converter=number)


# -- tickets and the hand-off to a sandbox's origin --------------------------------------------------------------------


@frozen(kw_only=True)
class TicketIssued(Event):
    """A ticket is being issued to a session."""

    type: ClassVar[str] = "ticket.issued"
    session: str = field(converter=label)


@frozen(kw_only=True)
class TicketRefused(Refusal):
    """A ticket was refused, or was not issued."""

    type: ClassVar[str] = "ticket.refused"


@frozen(kw_only=True)
class HandoffIssued(Event):
    """A one-time code is being issued that opens a sandbox's origin."""

    type: ClassVar[str] = "handoff.issued"
    session: str = field(converter=label)


@frozen(kw_only=True)
class HandoffTaken(Event):
    """
    A hand-off's code was taken: a sandbox session is being opened.

    :ivar session: the sandbox session's label.
    :ivar parent: the label of the session that it dies with.
    """

    type: ClassVar[str] = "handoff.taken"
    session: str = field(converter=label)
    parent: str = field(default="", converter=label)


@frozen(kw_only=True)
class HandoffRefused(Refusal):
    """A hand-off's code was refused, or was not issued."""

    type: ClassVar[str] = "handoff.refused"


# -- streams -----------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class StreamOpened(Event):
    """
    A stream is being opened.

    :ivar session: the label of the session that it hangs on.
    :ivar stream: the stream's label.
    """

    type: ClassVar[str] = "stream.opened"
    session: str = field(converter=label)
    stream: str = field(default="", converter=label)


@frozen(kw_only=True)
class StreamRefused(Refusal):
    """A stream was refused."""

    type: ClassVar[str] = "stream.refused"


@frozen(kw_only=True)
class StreamClosed(Change):
    """
    A stream ended.

    :ivar code: the WebSocket close code that the browser was given.
    :ivar sent_bytes: what went to the browser.
    :ivar received_bytes: what came from the browser.
    """

    type: ClassVar[str] = "stream.closed"
    session: str = field(converter=label)
    stream: str = field(default="", converter=label)
    code: int = field(default=0, converter=number)
    seconds: int = field(default=0, converter=number)
    sent_bytes: int = field(default=0, converter=number)
    received_bytes: int = field(default=0, converter=number)


@frozen(kw_only=True)
class StreamsCut(Change):
    """
    An operator cuts streams; the end of each is a `stream.closed`.

    :ivar by: what names them: a label, a session, a user or a sandbox.
    :ivar named: the label or id that was given.
    :ivar why: the operator's words.
    """

    type: ClassVar[str] = "streams.cut"
    by: str = field(converter=word)
    named: str = field(default="", converter=label)
    why: str = field(default="", converter=text)


@frozen(kw_only=True)
class MessageRefused(Refusal):
    """
    A message on an open stream was refused in the stream's protocol.

    :ivar method: what it asked for, in the peer's words.
    """

    type: ClassVar[str] = "message.refused"
    method: str = field(default="", converter=label)


# -- credentials and keys ----------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class CredentialOpened(Event):
    """
    A sandbox's credential is being opened.

    :ivar credential: its kind (`openclaw_password`, `vnc_password`, `ssh_key`, ...).
    :ivar version: which one of its versions.
    """

    type: ClassVar[str] = "credential.opened"
    credential: str = field(converter=word)
    version: int = field(default=0, converter=number)


@frozen(kw_only=True)
class CredentialChanged(Change):
    """
    A sandbox's credential is being changed.

    :ivar change: `created`, `rotated`, `destroyed`, ...
    """

    type: ClassVar[str] = "credential.changed"
    credential: str = field(converter=word)
    change: str = field(converter=word)
    version: int = field(default=0, converter=number)


@frozen(kw_only=True)
class CredentialRefused(Refusal):
    """A credential could not be opened: its seal is broken, its key is gone, or it belongs to another row."""

    type: ClassVar[str] = "credential.refused"
    credential: str = field(default="", converter=word)


@frozen(kw_only=True)
class KeyChanged(Change):
    """
    An encryption key is being changed; a destroyed one takes the user's sealed values with it.

    :ivar key: which (`master`, `user`, ...).
    :ivar user: whose, for a user's key.
    :ivar change: `created`, `rotated`, `destroyed`, ...
    """

    type: ClassVar[str] = "key.changed"
    key: str = field(converter=word)
    change: str = field(converter=word)
    user: UserId | None = field(default=None, converter=person)
    version: int = field(default=0, converter=number)


# -- sandboxes ---------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class SandboxChanged(Change):
    """
    A sandbox is being changed.

    :ivar change: `created`, `started`, `stopped`, `backed_up`, `restored`, `destroyed`, ...
    :ivar user: its owner, where the change is about the owner.
    :ivar to: the new value, where there is one to show.
    """

    type: ClassVar[str] = "sandbox.changed"
    change: str = field(converter=word)
    user: UserId | None = field(default=None, converter=person)
    to: str = field(default="", converter=label)


@frozen(kw_only=True)
class SandboxRefused(Refusal):
    """
    What a sandbox sent was refused (`host_key_changed`, `credential_leak`, ...).

    :ivar service: which of its services.
    """

    type: ClassVar[str] = "sandbox.refused"
    service: str = field(default="", converter=word)


# -- the gate itself ---------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class DaemonStarted(Change):
    """
    The daemon starts to serve.

    :ivar version: Coral Gate's version.
    """

    type: ClassVar[str] = "daemon.started"
    version: str = field(default="", converter=label)


@frozen(kw_only=True)
class DaemonStopped(Change):
    """The daemon stopped in order; its absence before the next start means that it did not."""

    type: ClassVar[str] = "daemon.stopped"


@frozen(kw_only=True)
class ConfigurationLoaded(Change):
    """
    A configuration takes effect.

    :ivar digest: the SHA-256 of its text, hexadecimal.
    """

    type: ClassVar[str] = "configuration.loaded"
    digest: str = field(default="", converter=label)


@frozen(kw_only=True)
class ConfigurationRefused(Refusal):
    """A configuration was refused at a reload; the one before it stays."""

    type: ClassVar[str] = "configuration.refused"


@frozen(kw_only=True)
class AuditRead(Event):
    """Someone reads the audit log through the gate."""

    type: ClassVar[str] = "audit.read"


@frozen(kw_only=True)
class AuditGap(Change):
    """
    For a while nothing could be recorded; what was asked for then was not done.

    :ivar count: how many events were turned away.
    :ivar seconds: for how long.
    """

    type: ClassVar[str] = "audit.gap"
    count: int = field(default=0, converter=number)
    seconds: int = field(default=0, converter=number)


@frozen(kw_only=True)
class AuditRecovered(Change):
    """
    Start-up found an unfinished last line, which nobody was told was recorded, and cut it off.

    :ivar torn_bytes: how much was cut.
    :ivar kept_as: the name of the file that now holds it.
    """

    type: ClassVar[str] = "audit.recovered"
    torn_bytes: int = field(default=0, converter=number)
    kept_as: str = field(default="", converter=label)


EVENT_TYPES: dict[str, type[Event]] = {
    kind.type: kind
    for kind in (
        SignInRefused, SessionOpened, SessionEnded, UserChanged, LockChanged, RequestRefused, RequestCounted,
        TicketIssued, TicketRefused, HandoffIssued, HandoffTaken, HandoffRefused, StreamOpened, StreamRefused,
        StreamClosed, StreamsCut, MessageRefused, CredentialOpened, CredentialChanged, CredentialRefused, KeyChanged,
        SandboxChanged, SandboxRefused, DaemonStarted, DaemonStopped, ConfigurationLoaded, ConfigurationRefused,
        AuditRead, AuditGap, AuditRecovered,
    )
}  # fmt: skip
"""Every kind of event, by its dotted name."""

RESERVED_TYPES = frozenset({"checkpoint"})
"""Names that no event may take: records about the chain itself."""
