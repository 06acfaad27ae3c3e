"""
What the stores keep, as frozen values, and on whose behalf it is asked for.

Each value checks itself when it is built, on the way in and on the way out alike, since the file may have been touched.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import secrets
from datetime import datetime, timedelta
from typing import NewType, TypeAlias

from attrs import Attribute, evolve, field, frozen

from coral_gate import checks
from coral_gate.model import Role, SandboxId, UserId

TOMBSTONE_DAYS = 400
"""How long a destroyed sandbox's row is kept at least."""

UserRowId = NewType("UserRowId", str)
"""Our own id of a user: 26 characters of `a-z2-7`, random, stable for as long as the row lives; shows no one's name."""

SessionId = NewType("SessionId", str)
"""What a list of sessions shows in place of token or digest: 26 characters of `a-z2-7`, random; gives no right."""

_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def _random_id() -> str:
    return "".join(secrets.choice(_BASE32) for _ in range(26))


def new_user_row_id() -> UserRowId:
    """A fresh id for a user's row, from the operating system's entropy."""
    return UserRowId(_random_id())


def new_session_id() -> SessionId:
    """A fresh public id for a session, from the operating system's entropy."""
    return SessionId(_random_id())


def user_row_id(text: str) -> UserRowId:
    """
    Take a user's row id from outside.

    :raises ValueError: it is not 26 characters of `a-z2-7`.
    """
    return UserRowId(checks.id_text(text))


def session_id(text: str) -> SessionId:
    """
    Take a session's public id from outside.

    :raises ValueError: it is not 26 characters of `a-z2-7`.
    """
    return SessionId(checks.id_text(text))


# -- on whose behalf ---------------------------------------------------------------------------------------------------


class Capacity(enum.Enum):
    """What the gate itself is busy with when no person is asking; each reaches only the tables its work needs."""

    SIGN_IN = "system:sign-in"
    SESSIONS = "system:sessions"
    HANDOFF = "system:hand-off"
    SANDBOXES = "system:sandboxes"
    REVOCATIONS = "system:revocations"
    OPERATOR = "system:operator"


@frozen
class AsUser:
    """A user, who reaches their own rows and no others."""

    user: UserRowId = field(validator=checks.row_id)


@frozen
class AsAdministrator:
    """A user with an administrator's right, which the store looks up again in each transaction."""

    user: UserRowId = field(validator=checks.row_id)


@frozen
class AsOwner:
    """A person by issuer and subject, who reaches their own sealed credentials and nothing else."""

    who: UserId = field(validator=checks.who)


@frozen
class AsGate:
    """The gate itself, or an operator with a shell on its machine (`Capacity.OPERATOR`)."""

    capacity: Capacity = field(validator=checks.Exactly(Capacity))


def owner_id(who: UserId) -> UserRowId:
    """What stands for a person's row where there may be none: made from issuer and subject, in the form of a row's id."""
    digest = hashlib.sha256(f"{who.iss}\n{who.sub}".encode()).digest()
    return UserRowId(base64.b32encode(digest).decode("ascii").lower()[:26])


Principal: TypeAlias = AsUser | AsAdministrator | AsOwner | AsGate
"""Who a row is asked for by. There is no default: without one no row is seen."""


BY_CONFIGURATION = "configuration"
"""What `User.allowed_by` says of whom the configuration's lists let in."""


def allowed_by(by: Principal) -> str:
    """What `User.allowed_by` says of whoever lets someone in: an administrator's row id, `operator` or `configuration`."""
    if isinstance(by, AsGate):
        return "operator" if by.capacity is Capacity.OPERATOR else BY_CONFIGURATION
    return by.user if isinstance(by, AsAdministrator | AsUser) else "unknown"


def display_text(said: str, most: int) -> str:
    """What an issuer or a browser said, as a label may show it: its printable characters, at most so many."""
    return "".join(character for character in said[: 4 * most] if character.isprintable())[:most]


# -- users -------------------------------------------------------------------------------------------------------------


@frozen
class User:
    """
    A person that may sign in.

    :ivar who: issuer and subject; unique.
    :ivar email: as the issuer last said it and vouched for it. It names nobody, but the configuration's lists may hold it.
    :ivar allowed_by: who let them in: `operator`, `configuration` or an administrator's row id.
    :ivar hd: their organisation's domain as the issuer last stated it, for the configuration's lists alone.
    """

    id: UserRowId = field(validator=checks.row_id)
    who: UserId = field(validator=checks.who)
    email: str | None = field(validator=checks.Text(320, optional=True))
    name: str | None = field(validator=checks.Text(200, optional=True))
    role: Role = field(validator=checks.Exactly(Role))
    disabled: bool = field(validator=checks.Exactly(bool))
    allowed_by: str = field(validator=checks.Text(64, least=1))
    created_at: datetime = field(validator=checks.utc)
    last_sign_in_at: datetime | None = field(validator=checks.maybe_utc)
    hd: str | None = field(default=None, validator=checks.Text(255, optional=True))

    @property
    def governs(self) -> bool:
        """Whether they hold an administrator's right at this moment."""
        return self.role is Role.ADMINISTRATOR and not self.disabled


# -- sessions ----------------------------------------------------------------------------------------------------------


@frozen
class SessionLabel:
    """
    What a person recognises a session by.

    :ivar agent: a summary of the user agent, at most 120 printable characters.
    :ivar address: the peer's address at sign-in.
    """

    agent: str = field(validator=checks.Text(120))
    address: str = field(validator=checks.address)


@frozen
class Session:
    """
    A browser's authority at the portal.

    :ivar id: shown in lists.
    :ivar digest: SHA-256 of the token; never shown.
    :ivar last_seen_at: written in batches, so the stored value may be older than the truth.
    :ivar idle_s: ends after so many seconds without a request.
    :ivar auth_time: when the issuer last saw the person prove themselves (OpenID Connect Core 1.0 §2).
    """

    id: SessionId = field(validator=checks.row_id)
    digest: bytes = field(validator=checks.digest, repr=False)
    user: UserRowId = field(validator=checks.row_id)
    created_at: datetime = field(validator=checks.utc)
    last_seen_at: datetime = field(validator=checks.utc)
    absolute_expires_at: datetime = field(validator=checks.utc)
    idle_s: int = field(validator=checks.Exactly(int))
    auth_time: datetime = field(validator=checks.utc)
    label: SessionLabel = field(validator=checks.Exactly(SessionLabel))

    @idle_s.validator
    def _check_idle(self, attribute: Attribute[int], value: int) -> None:
        if not 1 <= value <= 366 * 86400:
            raise ValueError("idle_s is not between a second and 366 days")

    def is_over(self, now: datetime) -> bool:
        """Whether its absolute or its idle time has passed; at the very instant it has."""
        return now >= self.absolute_expires_at or now >= self.last_seen_at + timedelta(seconds=self.idle_s)


@frozen
class SandboxSession:
    """
    A browser's authority at one sandbox's origin: the child of a session, which ends it.

    It has no lifetime of its own: ask its parent.

    :ivar digest: SHA-256 of its token; never shown.
    :ivar parent: the digest of the session it belongs to.
    """

    id: SessionId = field(validator=checks.row_id)
    digest: bytes = field(validator=checks.digest, repr=False)
    parent: bytes = field(validator=checks.digest, repr=False)
    user: UserRowId = field(validator=checks.row_id)
    sandbox: SandboxId = field(validator=checks.sandbox)
    created_at: datetime = field(validator=checks.utc)
    last_seen_at: datetime = field(validator=checks.utc)


@frozen
class Handoff:
    """
    The right to take a sandbox session once, in the browser that asked for it.

    :ivar digest: SHA-256 of the code.
    :ivar session: the digest of the session it is for.
    :ivar browser: SHA-256 of what binds it to the browser that asked.
    :ivar path: where the browser goes afterwards: at most 2048 printable ASCII characters after one `/`.
    """

    digest: bytes = field(validator=checks.digest, repr=False)
    user: UserRowId = field(validator=checks.row_id)
    session: bytes = field(validator=checks.digest, repr=False)
    sandbox: SandboxId = field(validator=checks.sandbox)
    browser: bytes = field(validator=checks.digest, repr=False)
    path: str = field(validator=checks.path)
    expires_at: datetime = field(validator=checks.utc)


# -- sandboxes ---------------------------------------------------------------------------------------------------------


@frozen
class Sandbox:
    """
    A user's sandbox, or its tombstone.

    :ivar driver: the word for what makes it (`static`, `qemu`, ...).
    :ivar state: a word of its life cycle.
    :ivar destroyed_at: set on a tombstone, which is kept at least `TOMBSTONE_DAYS` so that the id is never reused.
    :ivar locked: why nobody may use it now, in words for its owner; None where it is not locked.
    """

    id: SandboxId = field(validator=checks.sandbox)
    owner: UserRowId = field(validator=checks.row_id)
    name: str = field(validator=checks.Text(80, least=1))
    driver: str = field(validator=checks.word)
    state: str = field(validator=checks.word)
    created_at: datetime = field(validator=checks.utc)
    destroyed_at: datetime | None = field(validator=checks.maybe_utc, default=None)
    locked: str | None = field(validator=checks.Text(200, least=1, optional=True), default=None)


# -- tickets -----------------------------------------------------------------------------------------------------------


@frozen
class Ticket:
    """
    The right to open one channel to one sandbox once.

    :ivar digest: HMAC-SHA-256 of the token under the pepper.
    :ivar session: the digest of the session that it was issued to.
    :ivar channel: the word of a `model.ChannelKind`.
    :ivar origin: the serialised origin whose page may use it, e.g. `https://gate.example`.
    """

    digest: bytes = field(validator=checks.digest, repr=False)
    user: UserRowId = field(validator=checks.row_id)
    session: bytes = field(validator=checks.digest, repr=False)
    sandbox: SandboxId = field(validator=checks.sandbox)
    channel: str = field(validator=checks.word)
    origin: str = field(validator=checks.Text(300, least=1))
    expires_at: datetime = field(validator=checks.utc)


# -- revocations -------------------------------------------------------------------------------------------------------

_REASON = checks.Text(200, least=1)


class RevocationKind(enum.Enum):
    """What a revocation's subject names."""

    SESSION = "session"
    SANDBOX_SESSION = "sandbox-session"
    USER = "user"  # disabled or deleted
    ROLE = "role"
    SANDBOX = "sandbox"  # destroyed
    LOCK = "lock"  # the reason is what the sandbox's owner reads
    UNLOCK = "unlock"  # what is remembered of the lock is no longer so
    CREDENTIAL = "credential"  # one of the sandbox's was replaced or deleted


CREDENTIAL_CHANGED = "changed"
CREDENTIAL_DELETED = "deleted"
"""The reasons of a credential's revocations."""


@frozen
class Revocation:
    """
    Something that was taken away, with the number that was committed together with it.

    :ivar seq: rises by at least one with each; never reused.
    :ivar subject: a `SessionId`, a `UserRowId` or a `SandboxId`, as `kind` says. A session's end is its children's end.
    :ivar user: whose right it was; for a credential `owner_id`, since its owner may have no row.
    :ivar reason: a word or sentence, 1 to 200 printable characters.
    """

    seq: int = field(validator=checks.Exactly(int))
    kind: RevocationKind = field(validator=checks.Exactly(RevocationKind))
    subject: str = field(validator=checks.row_id)
    user: UserRowId = field(validator=checks.row_id)
    reason: str = field(validator=_REASON)
    at: datetime = field(validator=checks.utc)


@frozen
class Because:
    """
    Why something is taken away, and when; checked before anything changes.

    :ivar reason: 1 to 200 printable characters; ends up in the revocation and may be shown to the one it hits.
    """

    reason: str = field(validator=_REASON)
    at: datetime = field(validator=checks.utc)


def lock_revocation(why: str | None, because: Because) -> tuple[RevocationKind, Because]:
    """What tells of a sandbox's lock, or of its end: of a lock the reason is what its owner reads."""
    return (RevocationKind.UNLOCK, because) if why is None else (RevocationKind.LOCK, evolve(because, reason=why))
