"""
Where the script in a sandbox's own UI asks for tickets (see `sandbox_static/tickets.js`).
"""

from __future__ import annotations

import json

from twisted.web.server import Request

from coral_gate.errors import ClientFault, Fault, NotPermitted
from coral_gate.portal.forms import content_of
from coral_gate.portal.peer import PortalPeer
from coral_gate.portal.services import Journey, Minting
from coral_gate.portal.visits import Address, Visit

_ASKED = {"channel": "control"}


class TicketAddress(Address):
    """Gives the page of a sandbox a ticket for that sandbox's control channel, and for nothing else."""

    def __init__(self, mint: Minting) -> None:
        super().__init__(POST=_no_page)
        self._mint = mint

    async def _answer(self, request: Request, way: Visit) -> None:
        peer = request.transport.getPeer() if request.transport is not None else None
        assert isinstance(peer, PortalPeer) and peer.visitor is not None and peer.sandbox is not None  # the gate's route says so
        request.setHeader(b"Cache-Control", b"no-store")
        try:
            _check(request)
            ticket = await self._mint(peer.visitor, peer.sandbox, peer.host)
        except Fault as fault:
            request.setResponseCode(fault.status)
            request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
            request.write(f"{fault.sentence}\n".encode())
        else:
            request.setHeader(b"Content-Type", b"application/json")
            request.write(b'{"ticket":"%b"}' % ticket.reveal())
        request.finish()


async def _no_page(request: Request) -> Journey:
    raise NotPermitted  # not reached: the answer is no page


def _check(request: Request) -> None:
    """
    Only a script of this very origin may ask: not a form, not a frame, not a page elsewhere (W3C Fetch Metadata).

    :raises ClientFault: it is not asked as the script asks.
    """
    expected = {
        b"origin": b"https://" + (request.getHeader(b"host") or b""),
        b"sec-fetch-site": b"same-origin",
        b"sec-fetch-dest": b"empty",
    }
    if any(request.requestHeaders.getRawHeaders(name) != [value] for name, value in expected.items()):
        raise NotPermitted
    if request.requestHeaders.getRawHeaders(b"content-type") != [b"application/json"]:
        raise ClientFault("ticket-type")
    try:
        asked = json.loads(content_of(request))
    except (ValueError, RecursionError):
        raise ClientFault("ticket-malformed") from None
    if asked != _ASKED:
        raise ClientFault("ticket-channel")
