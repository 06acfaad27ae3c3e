"""
Signing in as the configuration says it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen
from zope.interface import implementer

from coral_gate.config import Config
from coral_gate.config.listening import bound_interface
from coral_gate.config.sections.sign_in import SignInConfig
from coral_gate.errors import Unavailable
from coral_gate.identity.http_client import NetworkHTTPClient
from coral_gate.identity.in_process import InProcessHTTPClient
from coral_gate.identity.local import LocalIssuer, local_issuer
from coral_gate.identity.local_page import LocalUser
from coral_gate.identity.local_signing import ALGORITHM
from coral_gate.identity.oidc import Known, nobody_known, openid_provider
from coral_gate.identity.policy import SignInPolicy, sign_in_policy
from coral_gate.identity.settings import ClientAuthentication, ClientSettings
from coral_gate.interfaces import IIdentityProvider
from coral_gate.model import Identity, SignInAttempt, SignInStart, UserId
from coral_gate.records import BY_CONFIGURATION, User

CALLBACK = "/sign-in/callback"
"""Where an issuer sends browsers back to, on the portal's origin."""

_STYLESHEET = "/static/portal.css"
_LOCAL_PATH = "/local-issuer"
_LOCAL_CLIENT = "coral-gate"
_GOOGLE = "https://accounts.google.com"


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
    :ivar administrators: who has that role from their first sign-in on.
    :ivar local: the built-in issuer, where it is configured.
    :ivar admit_by: lets people in by other lists from now on; None where the lists are the built-in issuer's own, or nobody's.
    """

    provider: IIdentityProvider
    issuer_name: str
    administrators: tuple[UserId, ...] = ()
    local: LocalIssuer | None = None
    admit_by: Callable[[SignInPolicy], None] | None = None


def signing_in(config: Config, reactor: Any, announce: Callable[[str], None] | None = None, known: Known = nobody_known) -> SigningIn:
    """
    What the configuration says of signing in.

    :param known: whether somebody may sign in whom no list names (`coral-gate user allow`).

    :param reactor: provides IReactorTime and IReactorTCP, and no type says both.
    :param announce: shows the built-in issuer's one-time words; by default on the terminal.
    :raises ConfigError: the client's secret cannot be read.
    """
    if config.sign_in.built_in:
        return _built_in(config, announce or _on_the_terminal)
    if config.sign_in.issuer is None:
        return SigningIn(NoProvider(), "your organisation")
    said, issuer = config.sign_in, config.sign_in.issuer
    provider = openid_provider(_settings(said, issuer), NetworkHTTPClient(reactor), known=known)
    return SigningIn(provider, said.issuer_name or _name(issuer), administrators(config), admit_by=provider.admit_by)


def configured_issuer(config: Config) -> str | None:
    """The one issuer whose people sign in here; None where nobody can."""
    return str(config.gate.portal_origin) + _LOCAL_PATH if config.sign_in.built_in else config.sign_in.issuer


def administrators(config: Config) -> tuple[UserId, ...]:
    """Who has that role from their first sign-in on."""
    issuer = configured_issuer(config)
    return () if issuer is None else tuple(UserId(issuer, sub) for sub in config.sign_in.administrators)


def configured_policy(config: Config) -> SignInPolicy | None:
    """The lists of people who may sign in; None where nobody can."""
    said = config.sign_in
    if said.built_in:
        return sign_in_policy(subject=(*said.try_out_users, *said.administrators))
    if said.issuer is None:
        return None
    return sign_in_policy(said.allow_hd, said.allow_email, (*said.allow_subject, *said.administrators))


def still_admitted(config: Config) -> Callable[[User], bool]:
    """
    Whether somebody may still be in: a list names them, by what the issuer last said of them, or they were let in by name.

    :return: what says so; it does not look at the configuration again.
    """
    policy, issuer = configured_policy(config), configured_issuer(config)

    def admitted(user: User) -> bool:
        if user.allowed_by != BY_CONFIGURATION:
            return True
        if policy is None or user.who.iss != issuer:
            return False
        return user.who.sub in policy.subject or user.hd in policy.hd or user.email in policy.email

    return admitted


def _settings(said: SignInConfig, issuer: str) -> ClientSettings:
    return ClientSettings(
        issuer=issuer,
        client_id=said.client_id or "",
        policy=sign_in_policy(said.allow_hd, said.allow_email, (*said.allow_subject, *said.administrators)),
        secret=None if said.client_secret is None else said.client_secret.read_line(),
        authentication=ClientAuthentication(said.client_authentication),
        algorithms=frozenset(said.algorithms),
        profile="profile" in said.scopes,
    )


def _built_in(config: Config, announce: Callable[[str], None]) -> SigningIn:
    portal = str(config.gate.portal_origin)
    users = tuple(LocalUser(name, name.capitalize(), f"{name}@{config.gate.portal_origin.host}") for name in config.sign_in.try_out_users)
    issuer = local_issuer(
        issuer=portal + _LOCAL_PATH,
        redirect_uri=portal + CALLBACK,
        client_id=_LOCAL_CLIENT,
        interfaces=[bound_interface(listener.endpoint) for listener in config.listeners],
        users=users,
        announce=announce,
        stylesheet=_STYLESHEET,
    )
    settings = ClientSettings(
        issuer=issuer.issuer,
        client_id=_LOCAL_CLIENT,
        policy=sign_in_policy(subject=[user.subject for user in users]),
        authentication=ClientAuthentication.NONE,
        algorithms=frozenset({ALGORITHM}),
        profile=True,
    )
    provider = openid_provider(settings, InProcessHTTPClient(portal, issuer.respond))
    return SigningIn(provider, config.sign_in.issuer_name or "the word on the terminal", administrators(config), issuer)


def _name(issuer: str) -> str:
    return "Google" if issuer == _GOOGLE else urlsplit(issuer).hostname or issuer


def _on_the_terminal(word: str) -> None:
    # The process's own output, not `sys.stdout`, which Twisted may have turned into a log: a log would keep the word.
    if sys.__stdout__ is not None:
        sys.__stdout__.write(f"To sign in, type this one-time word: {word}\n")
        sys.__stdout__.flush()
