"""
Tickets: the right to open one channel to one sandbox once, within half a minute.

A page of the right origin asks for one with its session's cookie and brings it with its WebSocket, which no page elsewhere
can: neither does a browser let it read the answer, nor does it send a ticket by itself, as it sends a cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from attrs import define, field
from zope.interface import implementer

from coral_gate.audit.events import TicketIssued
from coral_gate.audit.events import TicketRefused as RefusedEvent
from coral_gate.errors import NotPermitted, TicketRefused, TooMany, Unavailable
from coral_gate.gate.origins import Place, Side
from coral_gate.gate.tokens import new_token
from coral_gate.interfaces import IAuditSink, ITicketStore, ITicketValidator
from coral_gate.model import ChannelKind, SandboxId, Secret
from coral_gate.records import Ticket
from coral_gate.visitor import Visitor

TICKET_S = 30.0
"""How long a ticket is good: for one round trip of a slow network, and not for being carried away."""

OUTSTANDING = 32
"""How many tickets a session may ask for within that time: a page with a bug or a grudge fills no store."""

_MINTED_ON = {
    Side.SANDBOX: frozenset({ChannelKind.CONTROL}),
    Side.PORTAL: frozenset({ChannelKind.CHAT, ChannelKind.TERMINAL, ChannelKind.DESKTOP}),
}
"""What a page may ask for, by its side. A sandbox's pages are hostile: theirs is OpenClaw's own UI alone, at their own sandbox."""

_TOKEN = re.compile(rb"[A-Za-z0-9_-]{43}\Z")
_SESSIONS = 20_000


@implementer(ITicketValidator)
@define(eq=False)
class Tickets:
    """
    Issues and spends tickets.

    :param pepper: tickets are known by their HMAC-SHA-256 under this key, so that a stolen store opens nothing; 32 bytes.
    :param now: seconds since the epoch.
    """

    store: ITicketStore
    audit: IAuditSink
    pepper: Secret
    now: Callable[[], float]
    _issued: OrderedDict[bytes, deque[float]] = field(factory=OrderedDict, init=False, repr=False)

    async def issue(self, visitor: Visitor, place: Place, sandbox: SandboxId, channel: ChannelKind, address: str) -> Secret:
        """
        A ticket for a page of this place; recorded before it exists.

        :param sandbox: which the visitor may use; the caller has asked.
        :return: 43 characters of base64url; it goes into the answer's content and nowhere else.
        :raises NotPermitted: no page of this place opens that.
        :raises TooMany: this session has asked for too many.
        :raises AuditUnavailable: it could not be recorded, and was not made.
        """
        fault = self._unfit(place, sandbox, channel)
        if fault:
            await self._record(visitor, sandbox, channel, address, fault)
            raise NotPermitted
        if not self._count(visitor.digest):
            await self._record(visitor, sandbox, channel, address, "too-many")
            raise TooMany
        token = new_token()
        until = self._time() + timedelta(seconds=TICKET_S)
        await self.audit.record(TicketIssued(who=visitor.who, address=address, sandbox=sandbox, channel=channel, session=visitor.session))
        origin = place.origin.decode("ascii")
        ticket = Ticket(self._digest(token.reveal()), visitor.user, visitor.digest, sandbox, channel.value, origin, until)
        if not await self.store.put(ticket):
            raise NotPermitted  # the session has ended meanwhile
        return token

    async def spend(
        self, token: bytes | None, visitor: Visitor, sandbox: SandboxId, channel: ChannelKind, origin: bytes, address: str
    ) -> None:
        """See `ITicketValidator.spend`."""
        ticket = None
        if token is not None and _TOKEN.match(token):
            ticket = await self.store.take(self._digest(token), self._time())
            reason = "unknown-ticket" if ticket is None else self._fault(ticket, visitor, sandbox, channel, origin)
        else:
            reason = "no-ticket"
        if reason:
            await self._record(visitor, sandbox, channel, address, reason)
            raise TicketRefused

    def _fault(self, ticket: Ticket, visitor: Visitor, sandbox: SandboxId, channel: ChannelKind, origin: bytes) -> str:
        """Why a ticket is not for this; the empty string where it is."""
        if not hmac.compare_digest(ticket.session, visitor.digest) or ticket.user != visitor.user:
            return "other-session"
        if ticket.sandbox != sandbox:
            return "other-sandbox"
        if ticket.channel != channel.value:
            return "other-channel"
        if ticket.origin.encode("ascii") != origin:
            return "other-origin"
        return "session-over" if visitor.over else ""

    def _unfit(self, place: Place, sandbox: SandboxId, channel: ChannelKind) -> str:
        if channel not in _MINTED_ON[place.side]:
            return "not-from-here"
        return "other-sandbox" if place.side is Side.SANDBOX and place.sandbox != sandbox else ""

    def _count(self, session: bytes) -> bool:
        """Count one more of a session, unless it has too many that may still be good."""
        times = self._issued.setdefault(session, deque())
        self._issued.move_to_end(session)
        if len(self._issued) > _SESSIONS:
            self._issued.popitem(last=False)
        now = self.now()
        while times and (now >= times[0] + TICKET_S or now < times[0]):
            times.popleft()
        if len(times) >= OUTSTANDING:
            return False
        times.append(now)
        return True

    async def _record(self, visitor: Visitor, sandbox: SandboxId, channel: ChannelKind, address: str, reason: str) -> None:
        """A refusal stands whether it can be recorded or not."""
        event = RefusedEvent(who=visitor.who, address=address, sandbox=sandbox, channel=channel, reason=reason)
        try:
            await self.audit.record(event)
        except Unavailable:
            self.audit.count_refused(RefusedEvent, address, reason)

    def _digest(self, token: bytes) -> bytes:
        return hmac.digest(self.pepper.reveal(), token, hashlib.sha256)

    def _time(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)
