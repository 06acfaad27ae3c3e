"""
What each address of the portal does. Who asks is known already: the gate has checked it, and says so in the peer.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.template import flattenString

from coral_gate.errors import Fault, NotPermitted, SignInRefused
from coral_gate.model import sandbox_id
from coral_gate.portal import pages as show
from coral_gate.portal.forms import content_of, only_value, read_form
from coral_gate.portal.pages import Page
from coral_gate.portal.peer import PortalPeer
from coral_gate.portal.services import Journey, LocalResponder, PortalServices
from coral_gate.records import SessionId
from coral_gate.visitor import Visitor

Visit: TypeAlias = Callable[[Request], Awaitable[Page | Journey]]
"""Answers a request: with a page, or by sending the browser elsewhere."""

_log = Logger()


class Address(Resource):
    """
    One address of the portal.

    :param ways: what is done for each method; HEAD is GET without content.
    :param stays: a journey is shown as a page that goes on by itself, as after a form (see `pages.on_the_way`).
    """

    isLeaf = True

    def __init__(self, stays: bool = False, **ways: Visit) -> None:
        super().__init__()
        self._ways = {method.encode("ascii"): way for method, way in ways.items()}
        self._stays = stays

    def render(self, request: Request) -> int:
        """Answer, now or later."""
        way = self._ways.get(b"GET" if request.method == b"HEAD" else request.method)
        if way is None:
            request.setResponseCode(405)
            request.finish()
            return NOT_DONE_YET
        answering = Deferred.fromCoroutine(self._answer(request, way))
        answering.addErrback(_failed, request)
        request.notifyFinish().addErrback(lambda _: answering.cancel())
        return NOT_DONE_YET

    async def _answer(self, request: Request, way: Visit) -> None:
        try:
            result = await way(request)
        except SignInRefused as refused:
            request.setResponseCode(refused.status)
            result = show.apology("You could not be signed in", "Try once more; if it happens again, ask your administrator.")
        except Fault as fault:
            request.setResponseCode(fault.status)
            if _peer(request).sandbox is not None:
                _say(request, fault.sentence)
                return
            result = show.apology("That did not work", fault.sentence, _peer(request).visitor)
        if not isinstance(result, Page):
            for cookie in result.cookies:
                request.responseHeaders.addRawHeader(b"Set-Cookie", cookie)
            if not self._stays:
                request.setResponseCode(303)
                request.setHeader(b"Location", result.location.encode("ascii"))
                request.finish()
                return
            result = show.on_the_way(result.location)
        request.setHeader(b"Content-Type", b"text/html; charset=utf-8")
        content = b"<!DOCTYPE html>\n" + await flattenString(request, result)
        request.setHeader(b"Content-Length", b"%d" % len(content))
        if request.method != b"HEAD":
            request.write(content)
        request.finish()


def _say(request: Request, sentence: str) -> None:
    """Plain text: on a sandbox's origin a page of ours would load what is the sandbox's, and people should trust none there."""
    request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
    request.write(f"{sentence}\n".encode())
    request.finish()


def _failed(failure: Failure, request: Request) -> None:
    """The last resort: nothing of the error is shown."""
    if failure.check(CancelledError):
        return
    _log.failure("a page of the portal failed", failure)
    if not request.startedWriting:
        request.setResponseCode(500)
        request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
        request.write(b"Something went wrong on our side.\n")
    request.finish()


class LocalIssuerAddress(Resource):
    """The built-in issuer, which answers whole requests."""

    isLeaf = True

    def __init__(self, respond: LocalResponder) -> None:
        super().__init__()
        self._respond = respond

    def render(self, request: Request) -> bytes:
        """Answer from the function."""
        fields = [(name, value) for name, values in request.requestHeaders.getAllRawHeaders() for value in values]
        answer = self._respond(request.method, request.uri, fields, content_of(request))
        request.setResponseCode(answer.status)
        for name, value in answer.fields:
            request.responseHeaders.addRawHeader(name, value)
        return answer.body


class Live(Resource):
    """How a visitor's sandboxes are and what is connected to them, for the script of their first page."""

    isLeaf = True

    def __init__(self, services: PortalServices) -> None:
        super().__init__()
        self._services = services

    def render(self, request: Request) -> int:
        """Answer with JSON."""
        if request.method not in (b"GET", b"HEAD"):
            request.setResponseCode(405)
            request.finish()
            return NOT_DONE_YET
        answering = Deferred.fromCoroutine(self._answer(request))
        answering.addErrback(_failed, request)
        request.notifyFinish().addErrback(lambda _: answering.cancel())
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        cards = await self._services.sandboxes(_visitor(request))
        told = [
            {
                "id": card.id,
                "name": card.name,
                "state": show.state_word(card),
                "told": show.told_state(card),
                "connected": [{"label": one.label, "told": show.told_connected(one)} for one in card.connected],
            }
            for card in cards
        ]
        content = json.dumps({"sandboxes": told}).encode()
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Content-Length", b"%d" % len(content))
        if request.method != b"HEAD":
            request.write(content)
        request.finish()


@frozen
class Visits:
    """What is done at each address."""

    services: PortalServices

    def table(self) -> dict[bytes, IResource]:
        """Every address that does something, by its path."""
        return {
            b"/": Address(GET=self.home),
            b"/live": Live(self.services),
            b"/streams/cut": Address(POST=self.cut_stream),
            b"/sessions": Address(GET=self.list_sessions),
            b"/sessions/end": Address(POST=self.end_session),
            b"/sessions/end-others": Address(POST=self.end_others),
            b"/sign-out": Address(POST=self.sign_out, stays=True),
            b"/handoff": Address(GET=self.hand_off),
            b"/sign-in": Address(GET=self.sign_in),
            b"/sign-in/start": Address(POST=self.start, stays=True),
            b"/sign-in/callback": Address(GET=self.callback),
            b"/signed-out": Address(GET=self.signed_out),
            b"/used-up": Address(GET=self.used_up),
            b"/.gate/enter": Address(GET=self.enter),
            b"/.gate/bye": Address(GET=self.bye),
        }

    # -- for anybody ---------------------------------------------------------------------------------------------------

    async def sign_in(self, request: Request) -> Page:
        """The way in."""
        return show.sign_in(self.services.issuer, _query(request, "next") or "/")

    async def start(self, request: Request) -> Journey:
        """To the issuer."""
        return_to = read_form(request).get("next", "")
        return await self.services.desk.begin(_peer(request).cookie, return_to.encode("ascii", "replace"))

    async def callback(self, request: Request) -> Journey:
        """Back from the issuer."""
        agent = (request.getHeader(b"user-agent") or b"").decode("ascii", "replace")
        peer = _peer(request)
        return await self.services.desk.finish(request.uri.partition(b"?")[2], peer.cookie, agent, peer.host)

    async def signed_out(self, request: Request) -> Page:
        """After signing out."""
        return show.signed_out()

    async def used_up(self, request: Request) -> Page:
        """After a link that was good once."""
        return show.apology("This link is used up", "It is good once and for a moment. Begin once more at the portal.")

    # -- for a visitor -------------------------------------------------------------------------------------------------

    async def home(self, request: Request) -> Page:
        """Their sandboxes."""
        visitor = _visitor(request)
        return show.home(visitor, await self.services.sandboxes(visitor))

    async def cut_stream(self, request: Request) -> Journey:
        """End one of their streams; one that is not there, or not theirs, is answered alike."""
        await self.services.cut(_visitor(request), read_form(request).get("stream", ""), _peer(request).host)
        return Onwards("/")

    async def list_sessions(self, request: Request) -> Page:
        """Where they are signed in."""
        visitor = _visitor(request)
        return show.sessions(visitor, await self.services.sessions.list(visitor))

    async def end_session(self, request: Request) -> Journey:
        """End one of their sessions."""
        session = SessionId(read_form(request).get("session", ""))
        await self.services.sessions.end_other(_visitor(request), session, _peer(request).host)
        return Onwards("/sessions")

    async def end_others(self, request: Request) -> Journey:
        """End all but this one."""
        await self.services.sessions.end_others(_visitor(request), _peer(request).host)
        return Onwards("/sessions")

    async def sign_out(self, request: Request) -> Journey:
        """Out, by way of the sandboxes."""
        return await self.services.desk.sign_out(_visitor(request), _peer(request).host)

    async def hand_off(self, request: Request) -> Page | Journey:
        """Over to a sandbox; what is not there and what is somebody else's look alike."""
        visitor = _visitor(request)
        path = _query(request, "path").encode("ascii", "replace")
        try:
            sandbox = sandbox_id(_query(request, "sandbox"))
        except ValueError:
            journey = None
        else:
            journey = await self.services.desk.hand_off(visitor, sandbox, _query(request, "browser"), path, _peer(request).host)
        if journey is None:
            request.setResponseCode(404)
            return show.apology("No such sandbox", "There is no sandbox of yours at this address.", visitor)
        return journey

    # -- on a sandbox's origin -----------------------------------------------------------------------------------------

    async def enter(self, request: Request) -> Journey:
        """In, with a code."""
        peer = _peer(request)
        assert peer.sandbox is not None  # the route is on sandbox origins alone
        code = _query(request, "code").encode("ascii", "replace")
        return await self.services.desk.enter(code, peer.sandbox, peer.cookie, peer.host) or Onwards(
            self.services.portal + "/used-up"
        )

    async def bye(self, request: Request) -> Journey:
        """Out, and on to the next."""
        sandbox = _peer(request).sandbox
        assert sandbox is not None  # the route is on sandbox origins alone
        rest, until, proof = (_query(request, name) for name in ("rest", "until", "proof"))
        journey = self.services.desk.farewell(sandbox, rest, until, proof)
        if journey is None:
            raise NotPermitted  # and nothing is cleared: any page can send a browser here
        return journey


@frozen
class Onwards:
    """To another page of the portal."""

    location: str
    cookies: tuple[bytes, ...] = ()


def _visitor(request: Request) -> Visitor:
    visitor = _peer(request).visitor
    assert visitor is not None  # the gate lets nobody else through to these pages
    return visitor


def _peer(request: Request) -> PortalPeer:
    peer = request.transport.getPeer() if request.transport is not None else None
    assert isinstance(peer, PortalPeer)  # the one way in
    return peer


def _query(request: Request, name: str) -> str:
    return only_value(request.uri.partition(b"?")[2], name)


