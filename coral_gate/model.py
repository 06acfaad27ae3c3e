"""
Values that every room speaks of.
"""

from __future__ import annotations

import enum
import re
import secrets
from typing import NewType, NoReturn

from attrs import frozen

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


class ServiceName(enum.Enum):
    """A service inside a sandbox that a link can reach."""

    APP = "app"
    SSH = "ssh"
    VNC = "vnc"


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
