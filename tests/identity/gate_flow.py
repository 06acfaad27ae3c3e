"""
A sign-in from its beginning to its end, as a gate does it: attempts are stored, and spent before they are judged.
"""

from __future__ import annotations

from attrs import define, frozen

from coral_gate.identity.callback import parse_callback
from coral_gate.identity.oidc import digest
from coral_gate.identity.refusals import Refusal, refused
from coral_gate.interfaces import IIdentityProvider, ISignInAttempts
from coral_gate.model import Identity


@frozen
class SignedIn:
    """
    Somebody who may sign in.

    :ivar return_to: where they wanted to go, as it was given to `start`.
    :ivar renewed: they have just proved anew who they are, no longer ago than `start` asked for.
    """

    identity: Identity
    return_to: str
    renewed: bool


@define
class SignInFlow:
    """Keeps attempts around the provider, so that each is spent before it is judged."""

    _provider: IIdentityProvider
    _attempts: ISignInAttempts

    async def start(
        self,
        redirect_uri: str,
        browser_digest: bytes,
        return_to: str = "/",
        max_age_s: int | None = None,
        prompt: str | None = None,
    ) -> str:
        """
        The URL to send the browser to; the attempt is kept by then. Parameters as in `IIdentityProvider.begin`.

        :raises IssuerUnavailable: the issuer gave no usable answer.
        :raises Unavailable: the attempt could not be kept.
        """
        start = await self._provider.begin(redirect_uri, browser_digest, return_to, max_age_s, prompt)
        await self._attempts.put(start.attempt)
        return start.url

    async def complete(self, callback_query: bytes, browser_digest: bytes) -> SignedIn:
        """
        Judge a callback. Parameters as in `IIdentityProvider.finish`.

        :raises SignInRefused: nobody is signed in; start anew.
        :raises IssuerUnavailable: nobody is signed in; start anew later.
        :raises Unavailable: the attempts could not be read.
        """
        state = parse_callback(callback_query).state
        if state is None:
            raise refused(Refusal.STATE_ABSENT)
        attempt = await self._attempts.take(digest(state))
        if attempt is None:
            raise refused(Refusal.STATE_UNKNOWN)
        identity = await self._provider.finish(attempt, callback_query, browser_digest)
        return SignedIn(identity, attempt.return_to, renewed=attempt.max_age_s is not None)
