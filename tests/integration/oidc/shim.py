"""
A proxy before the issuer that changes what goes to and fro, stalls, or never stops sending.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IAddress, IListeningPort, IPushProducer, IReactorTCP
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from zope.interface import implementer

from coral_gate.model import HTTPAnswer
from tests.identity.tampering import Tampering, kind_of

_HOP = {b"connection", b"transfer-encoding", b"content-length", b"keep-alive", b"date", b"server"}
_BLOCK = 65536
_GIGABYTE = 1 << 30


@implementer(IAgentEndpointFactory)
@define
class Loopback:
    """Reaches one port of this machine, whatever name is asked for."""

    _reactor: IReactorTCP
    _port: int

    def endpointForURI(self, uri: object) -> TCP4ClientEndpoint:
        return TCP4ClientEndpoint(self._reactor, "127.0.0.1", self._port)


def agent_to(reactor: IReactorTCP, port: int) -> Agent:
    """An agent for one port of this machine that keeps no connection."""
    agent: Agent = Agent.usingEndpointFactory(reactor, Loopback(reactor, port), HTTPConnectionPool(reactor, persistent=False))
    return agent


class _Counted(ProtocolWrapper):
    """A connection that is known while it lives."""

    gone: Deferred[None]

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # Twisted's default value is of no use here
        super().connectionLost(reason)
        self.gone.callback(None)


class _Counting(WrappingFactory[_Counted]):
    protocol = _Counted
    noisy = False

    def __init__(self, wrapped: Site) -> None:
        super().__init__(wrapped)
        self.living: list[_Counted] = []

    def buildProtocol(self, addr: IAddress | None) -> _Counted:
        protocol = super().buildProtocol(addr)
        protocol.gone = Deferred()
        self.living.append(protocol)
        return protocol


class _Changing(Resource):
    """Everything that the issuer has, changed."""

    isLeaf = True

    def __init__(self, shim: Shim, agent: Agent) -> None:
        super().__init__()
        self._shim, self._agent = shim, agent

    def render(self, request: Request) -> int:
        kind = kind_of(request.uri.decode())
        if kind in self._shim.stalled:
            self._shim.tampering.asked.append(kind)
        elif kind in self._shim.flooding:
            _Flood(request, self._shim).begin()
        else:
            Deferred.fromCoroutine(self._forward(request)).addErrback(request.processingFailed)
        return NOT_DONE_YET

    async def _forward(self, request: Request) -> None:
        url = request.uri.decode()
        assert request.content is not None
        body = self._shim.tampering.request(url, request.content.read())
        fields = _without_hops(request.requestHeaders)
        response = await self._agent.request(request.method, b"http://issuer" + request.uri, fields, FileBodyProducer(BytesIO(body)))
        raw = tuple((name, value) for name, values in response.headers.getAllRawHeaders() for value in values)
        answer = self._shim.tampering.answer(url, HTTPAnswer(response.code, raw, await readBody(response)))
        request.setResponseCode(answer.status)
        for name, value in answer.fields:
            if name.lower() not in _HOP:
                request.responseHeaders.addRawHeader(name, value)
        request.setHeader(b"content-length", b"%d" % len(answer.body))
        request.write(answer.body)
        request.finish()


@implementer(IPushProducer)
@define
class _Flood:
    """An answer that goes on for as long as somebody takes it, up to a gigabyte."""

    _request: Request
    _shim: Shim
    _paused: bool = False

    def begin(self) -> None:
        self._request.setHeader(b"content-type", b"application/json")
        self._request.setHeader(b"content-length", b"%d" % _GIGABYTE)
        self._request.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        while not self._paused and self._shim.flooded_bytes < _GIGABYTE:
            self._request.write(b" " * _BLOCK)
            self._shim.flooded_bytes += _BLOCK

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        self._paused = True


class _SilentSite(Site):
    """A site without an access log: what the client itself logs is under test."""

    noisy = False

    def log(self, request: object) -> None:
        """Nothing."""


@define
class Shim:
    """
    The proxy.

    :ivar tampering: what it changes.
    :ivar stalled: documents that it never answers for.
    :ivar flooding: documents in whose place it sends blanks without end.
    :ivar flooded_bytes: how many were written.
    """

    tampering: Tampering
    _factory: _Counting
    _port: IListeningPort
    stalled: set[str] = field(factory=set)
    flooding: set[str] = field(factory=set)
    flooded_bytes: int = 0

    @classmethod
    def listen(cls, reactor: IReactorTCP, tampering: Tampering, issuer_port: int) -> Shim:
        """Start on a port that the system chooses."""
        site = _SilentSite(Resource())
        factory = _Counting(site)
        listening: Any = factory  # WrappingFactory is both kinds of factory; its type says neither
        shim = cls(tampering, factory, reactor.listenTCP(0, listening, interface="127.0.0.1"))
        site.resource = _Changing(shim, agent_to(reactor, issuer_port))
        return shim

    @property
    def port(self) -> int:
        """Where it listens."""
        address = self._port.getHost()
        assert isinstance(address, IPv4Address)
        return address.port

    async def open_connections(self, most: int) -> None:
        """Wait until at most so many connections are open."""
        while len(living := self._living()) > most:
            await living[0].gone

    async def close(self) -> None:
        """Stop, and wait until everybody is gone."""
        self._port.stopListening()
        living = self._living()
        for protocol in living:
            transport: Any = protocol.transport  # a TCP connection, which has more than ITransport
            transport.abortConnection()
        await gatherResults([protocol.gone for protocol in living])

    def _living(self) -> list[_Counted]:
        return [protocol for protocol in self._factory.living if not protocol.gone.called]


def _without_hops(headers: Headers) -> Headers:
    kept = Headers()
    for name, values in headers.getAllRawHeaders():
        if name.lower() not in _HOP:
            kept.setRawHeaders(name, values)
    return kept
