"""
Values that every room speaks of.
"""

from __future__ import annotations

import enum
import re
import secrets
from datetime import datetime
from typing import TYPE_CHECKING, NewType, NoReturn

from attrs import field, frozen

if TYPE_CHECKING:
    from coral_gate.visitor import Visitor

SandboxId = NewType("SandboxId", str)
"""26 lower-case base32 characters (130 random bits), never reused."""

_SANDBOX_ID = re.compile(r"[a-z2-7]{26}\Z")
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def sandbox_id(text: str) -> SandboxId:
    """
    Take a sandbox's id from outside.

    :raises ValueError: it is not 26 characters of `a-z2-7`.
    """
    if not _SANDBOX_ID.match(text):
        raise ValueError("a sandbox's id is 26 characters of a-z and 2-7")
    return SandboxId(text)


def new_sandbox_id() -> SandboxId:
    """A fresh id, from the operating system's entropy."""
    return SandboxId("".join(secrets.choice(_BASE32) for _ in range(26)))


class ChannelKind(enum.Enum):
    """The kind of a connection."""

    PORTAL = "portal"
    HTTP = "http"
    CONTROL = "control"
    CHAT = "chat"
    TERMINAL = "terminal"
    DESKTOP = "desktop"


class CloseCode(enum.IntEnum):
    """Why the gate itself closes a WebSocket (RFC 6455 §7.4.2: 4000-4999 are for applications); the reason says it in words."""

    SESSION_ENDED = 4401
    FORBIDDEN = 4403
    SANDBOX_GONE = 4404
    DEADLINE = 4408
    DRAINING = 4409


class ServiceName(enum.Enum):
    """A service inside a sandbox that a link can reach."""

    APP = "app"
    SSH = "ssh"
    VNC = "vnc"


class SandboxState(enum.Enum):
    """What a sandbox is doing, as far as its driver knows."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    UNKNOWN = "unknown"


@frozen
class Condition:
    """
    How a sandbox is.

    :ivar why: a sentence for its owner; empty where the state says it all. It names no address, no path and no secret.
    """

    state: SandboxState
    why: str = ""


class Role(enum.Enum):
    """What a user may do besides using their own sandboxes."""

    USER = "user"
    ADMINISTRATOR = "administrator"


@frozen
class UserId:
    """
    Who a person is, everywhere: never an e-mail address (OpenID Connect Core 1.0 §5.7).

    :ivar iss: the issuer's identifier, exactly as configured.
    :ivar sub: the subject at that issuer, at most 255 characters.
    """

    iss: str
    sub: str


class Secret:
    """
    Bytes that must not be shown: no repr, no str, no equality, no pickling, not a key.

    `reveal()` is the one way to the bytes, so that its few uses can be found.

    The memory is freed with the object, and not overwritten before: Python copies bytes where it likes and cannot
    promise more. Keep secrets for a short time, and keep memory dumps and swap off the machine.
    """

    __slots__ = ("__bytes",)

    def __init__(self, value: bytes) -> None:
        self.__bytes = value

    def reveal(self) -> bytes:
        """The bytes; keep them in a local variable, for as short as you can."""
        return self.__bytes

    def __repr__(self) -> str:
        return "<Secret>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "<Secret>"

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("secrets are compared with hmac.compare_digest on what reveal() gives")

    __hash__ = None  # type: ignore[assignment]  # a secret must never be a dictionary's key

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")


class KeyPurpose(enum.Enum):
    """What a key that is derived from a user's data key seals; no two purposes share a key."""

    VALUES = "values"
    DISK = "disk"
    RECORDINGS = "recordings"
    BACKUPS = "backups"


@frozen
class UserKey:
    """
    A key of one user for one purpose.

    :ivar version: of the user's data key that it is derived from; it goes into the head of what the key seals.
    :ivar key: 32 bytes.
    """

    version: int
    key: Secret


class KeyCondition(enum.Enum):
    """What a keyring can do."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    LOST = "lost"


@frozen
class KeyState:
    """
    Whether the master keys can be used, and why not.

    :ivar why: a sentence for operators; it names versions and the source, never a key.
    """

    condition: KeyCondition
    why: str

    @property
    def ready(self) -> bool:
        """Whether anything can be opened and sealed."""
        return self.condition is KeyCondition.OK


@frozen
class SealedCredential:
    """
    A credential's row, as stored.

    :ivar version: 1 for the first value, one more with each change; the sealed bytes are bound to it.
    :ivar sealed: an envelope (`coral_gate.custody.envelope`), at most 64 KiB and 34 bytes.
    :ivar changed_at: aware, UTC.
    """

    sandbox: SandboxId
    service: ServiceName
    owner: UserId
    version: int
    sealed: bytes
    changed_at: datetime


@frozen
class Identity:
    """
    What an issuer vouches for about one person, at one sign-in.

    :ivar user: who they are; everything else here is for people to read and for allow-lists, never a key.
    :ivar email: an address that the issuer has verified, its domain in lower case; or None.
    :ivar hd: the organisation's domain as the issuer states it, never taken from the address; or None.
    :ivar name: what to call them, 1 to 200 printable characters; or None.
    :ivar auth_time: when they last proved who they are at the issuer, aware UTC; None where it does not say.
    """

    user: UserId
    email: str | None = None
    hd: str | None = None
    name: str | None = None
    auth_time: datetime | None = None


@frozen
class SignInAttempt:
    """
    What is remembered between sending a browser to the issuer and its return.

    :ivar issuer: the issuer it was sent to (RFC 9207 §2.4).
    :ivar state_digest: SHA-256 of the `state`, 32 bytes: the attempt's key in its store.
    :ivar browser_digest: SHA-256 of the token in the browser's pre-login cookie, 32 bytes.
    :ivar nonce: must come back inside the ID token.
    :ivar code_verifier: proves to the issuer that the code is ours (RFC 7636 §4.1); ASCII.
    :ivar return_to: where the caller sends the browser afterwards; the caller's own, already checked.
    :ivar max_age_s: the oldest proof of identity that is taken, in seconds before `begun_at`; None takes any.
    :ivar begun_at: aware, UTC; `expires_at` too: from then on it is refused.
    """

    issuer: str
    state_digest: bytes
    browser_digest: bytes
    nonce: str
    code_verifier: Secret = field(eq=False)
    redirect_uri: str
    return_to: str
    max_age_s: int | None
    begun_at: datetime
    expires_at: datetime


@frozen
class SignInStart:
    """
    The beginning of a sign-in.

    :ivar url: where the browser is sent, with 303; it carries the `state`, so it is never logged.
    :ivar attempt: what the caller puts into its `ISignInAttempts` before it answers.
    """

    url: str = field(repr=False)
    attempt: SignInAttempt


@frozen
class HTTPAnswer:
    """
    A whole HTTP answer that fitted into memory.

    :ivar fields: names as they came, with their values, in order.
    """

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes = field(repr=False)


class Asker:
    """
    The front connection that a request came on.

    :ivar serial: a number that no other connection of this process has or had.
    :ivar address: the peer's address as text; empty where there is none.
    :ivar requests: how many requests have come on it.
    :ivar visitor: who made the last of them, or None where that is not known.
    """

    __slots__ = ("address", "requests", "serial", "visitor")

    def __init__(self, serial: int, address: str) -> None:
        self.serial = serial
        self.address = address
        self.requests = 0
        self.visitor: Visitor | None = None


class Allowed:
    """
    A request that may pass, and where it goes.

    Not an attrs class: one is made for every request on the hot path.

    :ivar route: the name of the route that it matched.
    :ivar channel: what serves it.
    :ivar authority: host and port of the origin that it is for; ours, not the client's bytes.
    :ivar sandbox: which sandbox, or None at the portal.
    :ivar body_bytes: the most content that the route takes, or None for the configured limit.
    :ivar visitor: who asks, or None where nobody has to be known.
    """

    __slots__ = ("authority", "body_bytes", "channel", "route", "sandbox", "visitor")

    def __init__(
        self,
        route: str,
        channel: ChannelKind,
        authority: bytes,
        sandbox: SandboxId | None,
        body_bytes: int | None,
        visitor: Visitor | None = None,
    ) -> None:
        self.route = route
        self.channel = channel
        self.authority = authority
        self.sandbox = sandbox
        self.body_bytes = body_bytes
        self.visitor = visitor
