"""
Signing in as the configuration says it.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen
from zope.interface import implementer

from coral_gate.config import Config
from coral_gate.errors import Unavailable
from coral_gate.identity.local import LocalIssuer
from coral_gate.interfaces import IIdentityProvider
from coral_gate.model import Identity, SignInAttempt, SignInStart


class SignInNotConfigured(Unavailable):
    """Nobody can sign in, since the configuration names no issuer."""

    sentence = "Signing in is not set up here: the configuration names no issuer."


@implementer(IIdentityProvider)
class NoProvider:
    """Nobody can sign in."""

    async def begin(
        self, redirect_uri: str, browser_digest: bytes, return_to: str = "/", max_age_s: int | None = None, prompt: str | None = None
    ) -> SignInStart:
        """See `IIdentityProvider.begin`."""
        raise SignInNotConfigured

    async def finish(self, attempt: SignInAttempt, callback_query: bytes, browser_digest: bytes) -> Identity:
        """See `IIdentityProvider.finish`."""
        raise SignInNotConfigured


@frozen
class SigningIn:
    """
    How people sign in.

    :ivar issuer_name: what the button says.
    :ivar local: the built-in issuer, where it is configured.
    """

    provider: IIdentityProvider
    issuer_name: str
    local: LocalIssuer | None = None


def signing_in(config: Config, reactor: Any) -> SigningIn:
    """
    What the configuration says of signing in.

    :raises ConfigError: it cannot be used.
    """
    return SigningIn(NoProvider(), "your organisation")
