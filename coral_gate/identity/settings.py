"""
What the operator says about the issuer and about us as its client.
"""

from __future__ import annotations

import enum

from attrs import Attribute, field, frozen

from coral_gate.config.issuer_urls import issuer_url
from coral_gate.identity.keys import ALGORITHMS
from coral_gate.identity.policy import SignInPolicy
from coral_gate.model import Secret


class ClientAuthentication(enum.Enum):
    """How we prove to the issuer's token endpoint that we are the client (OpenID Connect Core 1.0 §9)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    NONE = "none"


def _check_issuer(instance: object, attribute: Attribute[str], value: str) -> None:
    issuer_url(value)


def _check_client_id(instance: object, attribute: Attribute[str], value: str) -> None:
    if not (value and value.isascii() and value.isprintable() and len(value) <= 512):
        raise ValueError("a client id is 1 to 512 printable ASCII characters")


def _check_algorithms(instance: object, attribute: Attribute[frozenset[str]], value: frozenset[str]) -> None:
    if not value or not value <= ALGORITHMS:
        raise ValueError(f"an ID token's algorithm is one of {', '.join(sorted(ALGORITHMS))}")


@frozen
class ClientSettings:
    """
    A client of one issuer.

    :ivar issuer: its identifier, compared character by character everywhere.
    :ivar secret: None for a public client, whose authentication is `NONE`; PKCE is used either way.
    :ivar algorithms: what its ID tokens may be signed with.
    :ivar profile: ask for the person's name too.
    :raises ValueError: with a sentence without a secret.
    """

    issuer: str = field(validator=_check_issuer)
    client_id: str = field(validator=_check_client_id)
    policy: SignInPolicy
    secret: Secret | None = field(default=None, eq=False)
    authentication: ClientAuthentication = ClientAuthentication.BASIC
    algorithms: frozenset[str] = field(default=frozenset({"RS256"}), validator=_check_algorithms)
    profile: bool = False

    def __attrs_post_init__(self) -> None:
        if (self.secret is None) != (self.authentication is ClientAuthentication.NONE):
            raise ValueError("a client has a secret, or authenticates with 'none'")

    @property
    def scope(self) -> str:
        """The scopes asked for: the least that signing in needs."""
        return "openid email profile" if self.profile else "openid email"
