"""
The `control` channel: OpenClaw's own UI, which speaks to its gateway over a WebSocket.

A browser opens it with a ticket; the gate dials the sandbox before it says 101, puts the credential into the first message,
judges each further one, and passes on what the sandbox sends.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from functools import partial

from attrs import define, field
from twisted.internet.defer import Deferred

from coral_gate.audit.events import MessageRefused
from coral_gate.channels.breaker import Breaker
from coral_gate.channels.control_stream import ControlStream
from coral_gate.channels.old_tab import OldTab
from coral_gate.channels.openclaw import UPSTREAM_HOST
from coral_gate.channels.plan import Browser, Opened, Stream
from coral_gate.channels.sandbox_socket import SandboxSocket, dial
from coral_gate.channels.websocket_handshake import Upgrade, accept_for, check_answer, read_upgrade, request, switching
from coral_gate.custody.of_sandboxes import SandboxCredentials
from coral_gate.errors import TicketRefused, TooMany, Unavailable, UpstreamUnreachable
from coral_gate.http1.head import HeadLimits, RequestHead
from coral_gate.interfaces import IAuditSink, ISandboxDriver, IStreams, ITicketValidator
from coral_gate.model import Allowed, Asker, ChannelKind, SandboxId, Secret, ServiceName
from coral_gate.visitor import OpenStream

PROTOCOL = "coral.v1"
"""The subprotocol of a page that knows tickets."""

TICKET = "coral.ticket."
"""What stands before the ticket in the other subprotocol that is offered; it is never answered with, and goes nowhere else."""

_HOST = UPSTREAM_HOST.encode("ascii")
"""
The host that OpenClaw is asked for, whatever the browser's: one on the loopback, as its direct clients ask.

Then the sandbox's configuration needs to know no public name, and nothing that a browser says can make a request look local.
"""


class CredentialUnusable(Unavailable):
    """The sandbox's credential cannot stand in OpenClaw's first message, or is too short to be looked for."""

    sentence = "The sandbox's credential is no password that OpenClaw could have; its operator has to change it."


@define(eq=False)
class ControlChannel:
    """
    Opens streams to OpenClaw.

    :param message_bytes: the longest message of a browser, once it is connected.
    :param monotonic: seconds.
    :param now: seconds since the epoch.
    """

    driver: ISandboxDriver
    tickets: ITicketValidator
    streams: IStreams
    credentials: SandboxCredentials
    audit: IAuditSink
    breaker: Breaker
    monotonic: Callable[[], float]
    now: Callable[[], float]
    head_limits: HeadLimits = field(factory=HeadLimits)
    message_bytes: int = 8 * 1024 * 1024
    old_tabs: int = field(default=0, init=False)
    _strangers: dict[SandboxId, set[str]] = field(factory=dict, init=False, repr=False)

    async def open(self, head: RequestHead, allowed: Allowed, asker: Asker) -> Opened:
        """See `channels.plan.Upgrading`."""
        visitor, sandbox = allowed.visitor, allowed.sandbox
        assert visitor is not None and sandbox is not None  # the judge opens this to a guest of a sandbox alone
        asked = read_upgrade(head)
        if PROTOCOL not in asked.subprotocols:
            return self._old_tab(asked)
        await self.tickets.spend(
            _ticket(asked.subprotocols), visitor, sandbox, ChannelKind.CONTROL, head.read.get(b"origin", b""), asker.address
        )
        if len(self._strangers.get(sandbox, ())) >= _STRANGERS:
            raise TooMany
        secret = await self._credential(sandbox)
        try:
            stream = ControlStream(self, sandbox, b"https://" + allowed.authority, secret)
        except ValueError:
            raise CredentialUnusable from None  # the original would carry the secret
        stream.entry = entry = await self.streams.open(visitor, sandbox, ChannelKind.CONTROL, asker.address, stream.cut)
        self._strangers.setdefault(sandbox, set()).add(entry.label)
        try:
            socket = await self._dial(sandbox)
        except BaseException:  # a browser that has gone meanwhile too
            self.closed(entry, 0)
            raise
        answer = switching(accept_for(asked.key), PROTOCOL)
        return Opened(answer, partial(stream.start, socket), partial(self._discard, socket, entry))

    async def _credential(self, sandbox: SandboxId) -> Secret:
        secret = self.credentials.kept(sandbox, ServiceName.APP) or await self.credentials.open(sandbox, ServiceName.APP)
        self.breaker.check(sandbox, secret)
        return secret

    async def _dial(self, sandbox: SandboxId) -> SandboxSocket:
        link = self.driver.link(sandbox, ServiceName.APP)
        if link is None:
            raise UpstreamUnreachable
        key = base64.b64encode(secrets.token_bytes(16))
        return await dial(
            link, request(_HOST, b"http://" + _HOST, b"/", key), lambda answer: check_answer(answer, key), self.head_limits
        )

    def _discard(self, socket: SandboxSocket, entry: OpenStream) -> None:
        socket.abort()
        self.closed(entry, 0)

    # -- what streams ask of it ----------------------------------------------------------------------------------------

    def let_in(self, entry: OpenStream) -> None:
        """The sandbox has let a browser in."""
        waiting = self._strangers.get(entry.sandbox)
        if waiting is not None:
            waiting.discard(entry.label)
            if not waiting:
                del self._strangers[entry.sandbox]

    def closed(self, entry: OpenStream, code: int) -> None:
        """A stream has ended."""
        self.let_in(entry)
        self.streams.closed(entry, code)

    def mismatch(self, sandbox: SandboxId, secret: Secret) -> None:
        """A sandbox did not accept its credential."""
        self.breaker.refused(sandbox, secret)
        self.credentials.drop(sandbox)

    def changed(self, sandbox: SandboxId) -> None:
        """A sandbox says that its credential has changed: the next stream opens it anew."""
        self.credentials.drop(sandbox)

    def refused(self, entry: OpenStream, reason: str, method: str = "", count: bool = False) -> None:
        """
        A message was refused: recorded, and never a reason to fail.

        :param count: there were too many of them to record each.
        """
        if count:
            self.audit.count_refused(MessageRefused, entry.address, reason)
            return
        event = MessageRefused(who=entry.visitor.who, address=entry.address, sandbox=entry.sandbox, reason=reason, method=method)
        recording = Deferred.fromCoroutine(self.audit.record(event))
        recording.addErrback(lambda _: self.audit.count_refused(MessageRefused, entry.address, reason))

    # -- a page without tickets ----------------------------------------------------------------------------------------

    def _old_tab(self, asked: Upgrade) -> Opened:
        """A page that was loaded before the gate gave it a script is told to load itself anew; the sandbox hears nothing."""
        if self.old_tabs >= _OLD_TABS:
            raise TicketRefused
        self.old_tabs += 1

        def start(browser: Browser) -> Stream:
            return OldTab(browser, secrets.token_hex(16), self.now(), self._old_tab_over)

        return Opened(switching(accept_for(asked.key), None), start, self._old_tab_over)

    def _old_tab_over(self) -> None:
        self.old_tabs -= 1


_STRANGERS = 16
"""How many streams to one sandbox may wait to be let in: OpenClaw itself bears 32, and then answers nobody."""

_OLD_TABS = 64
"""How many pages may be told at one time; each is there for a moment."""


def _ticket(subprotocols: tuple[str, ...]) -> bytes | None:
    """The ticket among the subprotocols; None where there is not exactly one, beside `coral.v1` and nothing else."""
    others = [one for one in subprotocols if one != PROTOCOL]
    if len(others) != 1 or not others[0].startswith(TICKET):
        return None
    return others[0].removeprefix(TICKET).encode("ascii")
