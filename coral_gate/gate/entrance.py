"""
Signing in and out: what the portal's pages ask of the gate.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

from attrs import define, frozen

from coral_gate.audit.events import SignInRefused as SignInRefusedEvent
from coral_gate.errors import SignInRefused
from coral_gate.gate.handoff import Handoffs, safe_path
from coral_gate.gate.sessions import Sessions
from coral_gate.gate.tokens import (
    BROWSER_COOKIE,
    PORTAL_COOKIE,
    SANDBOX_COOKIE,
    cookie_token,
    digest_of,
    drop_cookie,
    new_token,
    set_cookie,
)
from coral_gate.identity.callback import parse_callback
from coral_gate.interfaces import IAuditSink, IIdentityProvider, ISignInAttempts, IUserStore
from coral_gate.model import Identity, Role, SandboxId, Secret
from coral_gate.records import AsGate, Capacity, User
from coral_gate.visitor import Visitor

CALLBACK = "/sign-in/callback"
"""Where the issuer sends a browser back to, on the portal's origin."""

_BROWSER_COOKIE_S = 600
_FAREWELL_S = 120


@frozen
class SentAway:
    """
    Where a browser goes, and what it takes along.

    :ivar location: an absolute URL or a path; may hold a state or a code: never log it.
    :ivar cookies: Set-Cookie values.
    """

    location: str
    cookies: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return "<SentAway>"


@define(eq=False)
class Entrance:
    """
    Lets people in and out.

    :param portal: the portal's origin, e.g. `https://gate.localhost:8443`.
    :param sandbox_origin: the origin of a sandbox's id.
    :param farewell_key: authenticates the way through the sandbox origins at sign-out; a fresh one at each start will do.
    :param now: seconds since the epoch.
    """

    provider: IIdentityProvider
    attempts: ISignInAttempts
    users: IUserStore
    sessions: Sessions
    handoffs: Handoffs
    audit: IAuditSink
    portal: str
    sandbox_origin: Callable[[SandboxId], str]
    farewell_key: bytes
    now: Callable[[], float]

    # -- in ------------------------------------------------------------------------------------------------------------

    async def begin(self, cookie: bytes | None, return_to: bytes) -> SentAway:
        """
        Send a browser to the issuer.

        :param cookie: the browser's Cookie field; a sign-in of another tab that is under way goes on.
        :param return_to: where the person wanted to go; anything but a path of the portal's becomes `/`.
        :raises IssuerUnavailable: the issuer gives no usable answer.
        """
        held = cookie_token(cookie, BROWSER_COOKIE)
        token = Secret(held) if held else new_token()
        start = await self.provider.begin(self.portal + CALLBACK, digest_of(token.reveal()), return_to=safe_path(return_to))
        await self.attempts.put(start.attempt)
        return SentAway(start.url, (set_cookie(BROWSER_COOKIE, token, _BROWSER_COOKIE_S),))

    async def finish(self, query: bytes, cookie: bytes | None, agent: str, address: str) -> SentAway:
        """
        Judge what a browser brings back from the issuer, and open a session.

        :raises SignInRefused: nobody was signed in; the reason is in the audit log.
        :raises IssuerUnavailable: the issuer gives no usable answer.
        """
        try:
            identity, return_to = await self._identity(query, cookie)
            user = await self._user(identity)
        except SignInRefused as refusal:
            await self._record_refusal(refusal, address)
            raise
        old = cookie_token(cookie, PORTAL_COOKIE)
        replaced = await self.sessions.find(old) if old else None
        token, visitor = await self.sessions.open(user, agent, address, identity.auth_time, replaced)
        return SentAway(return_to, (set_cookie(PORTAL_COOKIE, token, max(1, round(visitor.ends_at - self.now()))),))

    async def _record_refusal(self, refusal: SignInRefused, address: str) -> None:
        """Whom an issuer vouches for is recorded by name, so that an operator sees whom to let in; strangers are counted."""
        if refusal.who is None:
            self.audit.count_refused(SignInRefusedEvent, address, refusal.reason)
        else:
            await self.audit.record(SignInRefusedEvent(who=refusal.who, address=address, reason=refusal.reason))

    async def _identity(self, query: bytes, cookie: bytes | None) -> tuple[Identity, str]:
        callback = parse_callback(query)
        if callback.state is None:
            raise SignInRefused("state.absent")
        attempt = await self.attempts.take(sha256(callback.state.encode("utf-8")).digest())
        if attempt is None:
            raise SignInRefused("state.unknown")
        token = cookie_token(cookie, BROWSER_COOKIE)
        return await self.provider.finish(attempt, query, digest_of(token or b"")), attempt.return_to

    async def _user(self, identity: Identity) -> User:
        """The user that an identity is; whom the issuer and the lists let in becomes one at the first sign-in."""
        at = datetime.fromtimestamp(self.now(), UTC)
        if await self.users.find(identity.user) is None:
            await self.users.allow(AsGate(Capacity.SIGN_IN), identity.user, Role.USER, at, identity.email)
        user = await self.users.sign_in(identity.user, identity.email, identity.name, at, identity.hd)
        if user is None or user.disabled:
            raise SignInRefused("user.disabled", identity.user)
        return user

    # -- over to a sandbox ---------------------------------------------------------------------------------------------

    async def hand_off(self, visitor: Visitor, sandbox: SandboxId, binding: str, path: bytes, address: str) -> SentAway | None:
        """Send a visitor's browser to a sandbox with a code; None where they may not go there, or it is not there."""
        code = await self.handoffs.issue(visitor, sandbox, binding, safe_path(path), address)
        if code is None:
            return None
        return SentAway(f"{self.sandbox_origin(sandbox)}/.gate/enter?code={code.reveal().decode('ascii')}")

    async def enter(self, code: bytes, sandbox: SandboxId, cookie: bytes | None, address: str) -> SentAway | None:
        """Take a code on a sandbox's origin and open a sandbox session there; None where it is no good."""
        taken = await self.handoffs.take(code, sandbox, cookie_token(cookie, BROWSER_COOKIE), address, self.sessions.find_digest)
        if taken is None:
            return None
        token, path, lasts_s = taken
        return SentAway(path, (set_cookie(SANDBOX_COOKIE, token, lasts_s), drop_cookie(BROWSER_COOKIE)))

    # -- out -----------------------------------------------------------------------------------------------------------

    async def sign_out(self, visitor: Visitor, address: str) -> SentAway:
        """End a visitor's session, then send the browser through each sandbox origin that it opened, to clear what is kept there."""
        opened = await self.sessions.store.opened(visitor.digest)
        await self.sessions.end(visitor, "signed-out", address)
        return SentAway(self._farewell([*opened], int(self.now()) + _FAREWELL_S))

    def farewell(self, sandbox: SandboxId, rest: str, until: str, proof: str) -> SentAway | None:
        """
        The next stop of a browser on its way out; None where it was not sent on that way by `sign_out`, or too long ago.

        :param sandbox: the origin that it is at.
        :param rest: the ids still to come, joined by dots; `until` and `proof` as they stand in the URL.
        """
        expected = self._proof([sandbox, *filter(None, rest.split("."))], until)
        if (
            not until.isascii()
            or not until.isdigit()
            or len(until) > 12
            or not hmac.compare_digest(proof.encode("utf-8"), expected.encode())
        ):
            return None
        if int(until) < self.now():
            return None
        return SentAway(self._farewell([SandboxId(one) for one in rest.split(".") if one], int(until)))

    def _farewell(self, sandboxes: list[SandboxId], until: int) -> str:
        if not sandboxes:
            return self.portal + "/signed-out"
        proof = self._proof(sandboxes, str(until))
        return f"{self.sandbox_origin(sandboxes[0])}/.gate/bye?rest={'.'.join(sandboxes[1:])}&until={until}&proof={proof}"

    def _proof(self, sandboxes: list[str] | list[SandboxId], until: str) -> str:
        return hmac.new(self.farewell_key, f"{until}:{'.'.join(sandboxes)}".encode(), "sha256").hexdigest()
