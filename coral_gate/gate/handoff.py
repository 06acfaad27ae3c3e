"""
The hand-off: how a browser that is signed in at the portal gets a session on a sandbox's own origin.

The sandbox's origin sets a cookie that its pages cannot read and sends the browser to the portal with the cookie's digest;
the portal, if the visitor may use the sandbox, sends it back with a one-time code bound to session, sandbox and that digest.
A hostile service worker on the sandbox's origin sees the code, and can do nothing with it elsewhere. One that has begun the
hand-off itself, with a cookie of its maker's, lets its maker in at that sandbox, which is in their hands already, and nowhere
else; it ends with the visitor's session.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from urllib.parse import quote

from attrs import define

from coral_gate.audit.events import HandoffIssued, HandoffRefused, HandoffTaken
from coral_gate.config.sections.sessions import SessionsConfig
from coral_gate.gate.tokens import digest_of, new_token
from coral_gate.interfaces import IAuditSink, IHandoffStore, ISessionStore
from coral_gate.model import SandboxId, Secret
from coral_gate.records import Handoff, SandboxSession, new_session_id
from coral_gate.visitor import Visitor

_PER_SANDBOX = 8
"""Sandbox sessions of one session at one sandbox; a further one ends the oldest."""

LONGEST_PATH = 2048


def safe_path(path: bytes) -> str:
    """
    A path of the same origin, from a query: what a browser may be sent to afterwards.

    :return: `/` for anything that is not one slash and then printable ASCII without backslash: `//host`, `/\\\\host` and
        `/<tab>/host` are other sites to a browser (WHATWG URL §4.4).
    """
    text = path.decode("ascii", "replace")
    plain = all("\x21" <= character <= "\x7e" and character != "\\" for character in text)
    return text if plain and len(text) <= LONGEST_PATH and text[:1] == "/" and text[1:2] != "/" else "/"


def browser_binding(token: bytes) -> str:
    """What the portal is told of the browser's cookie: its digest, hexadecimal."""
    return digest_of(token).hex()


MayUse: TypeAlias = Callable[[Visitor, SandboxId], Awaitable[bool]]
"""Whether a visitor may use a sandbox."""

FindVisitor: TypeAlias = Callable[[bytes], Awaitable[Visitor | None]]
"""The visitor of a session's digest, or None where it is over."""


@define(eq=False)
class Handoffs:
    """
    Issues and takes codes.

    :param may_use: whether a visitor may use a sandbox; asked when a code is issued and again when it is taken.
    :param now: seconds since the epoch.
    """

    codes: IHandoffStore
    sessions: ISessionStore
    audit: IAuditSink
    config: SessionsConfig
    may_use: MayUse
    now: Callable[[], float]

    async def issue(self, visitor: Visitor, sandbox: SandboxId, binding: str, path: str, address: str) -> Secret | None:
        """
        A code that takes this visitor's browser to a sandbox.

        :param binding: see `browser_binding`; from the query, unchecked.
        :return: None where the visitor may not use the sandbox, or there is none, or the binding is none.
        """
        try:
            browser = bytes.fromhex(binding) if len(binding) == 64 else b""
        except ValueError:
            browser = b""
        if not browser or not await self.may_use(visitor, sandbox):
            await self.audit.record(
                HandoffRefused(who=visitor.who, address=address, sandbox=sandbox, reason="not-theirs" if browser else "no-binding")
            )
            return None
        code, expires_at = new_token(), self._time() + timedelta(seconds=self.config.handoff_s)
        await self.audit.record(HandoffIssued(who=visitor.who, address=address, sandbox=sandbox, session=visitor.session))
        kept = await self.codes.put(Handoff(digest_of(code.reveal()), visitor.user, visitor.digest, sandbox, browser, path, expires_at))
        return code if kept else None

    async def take(
        self, code: bytes, sandbox: SandboxId, browser_token: bytes | None, address: str, find: FindVisitor
    ) -> tuple[Secret, str, int] | None:
        """
        Spend a code, then judge it.

        :param sandbox: the one whose origin the browser brought the code to.
        :param browser_token: the token in the browser's own cookie there, or None.
        :param find: gives the visitor of a session's digest, or None where it is over.
        :return: the token of the new sandbox session, the path to go to, and for how many seconds at most; None where the code
            is no good, whatever the reason.
        """
        handoff = await self.codes.take(digest_of(code), self._time())
        if handoff is None:
            self.audit.count_refused(HandoffRefused, address, "unknown-code")
            return None
        visitor = await find(handoff.session)
        reason = await self._fault(handoff, visitor, sandbox, browser_token)
        if reason or visitor is None:
            who = visitor.who if visitor is not None else None
            await self.audit.record(HandoffRefused(who=who, address=address, sandbox=sandbox, reason=reason))
            return None
        token, at = new_token(), self._time()
        child = SandboxSession(new_session_id(), digest_of(token.reveal()), visitor.digest, visitor.user, sandbox, at, at)
        await self.audit.record(HandoffTaken(who=visitor.who, address=address, sandbox=sandbox, session=child.id, parent=visitor.session))
        if not await self.sessions.create_child(child, _PER_SANDBOX):
            return None
        return token, handoff.path, max(1, round(visitor.ends_at - self.now()))

    async def _fault(self, handoff: Handoff, visitor: Visitor | None, sandbox: SandboxId, browser_token: bytes | None) -> str:
        if handoff.sandbox != sandbox:
            return "other-sandbox"
        if browser_token is None or not hmac.compare_digest(digest_of(browser_token), handoff.browser):
            return "other-browser"
        if visitor is None:
            return "session-over"
        return "" if await self.may_use(visitor, sandbox) else "not-theirs"

    def _time(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)


def start_location(portal: bytes, sandbox: SandboxId, binding: str, target: bytes) -> bytes:
    """Where a browser without a sandbox session is sent: to the portal, which knows whether it is signed in."""
    path = quote(safe_path(target), safe="/").encode("ascii")
    return b"%b/handoff?sandbox=%b&browser=%b&path=%b" % (portal, sandbox.encode("ascii"), binding.encode("ascii"), path)
