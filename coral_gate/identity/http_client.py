"""
Asking the issuer over the network: one connection, one whole answer, one deadline.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from attrs import Factory, define
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    HTTPConnectionPool,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from coral_gate.errors import AnswerTooLarge, UpstreamFault, UpstreamTooSlow, UpstreamUnreachable
from coral_gate.identity.bounded_endpoint import BoundedEndpoint
from coral_gate.identity.issuer_tls import IssuerTLS
from coral_gate.interfaces import IHTTPClient
from coral_gate.model import HTTPAnswer

DEADLINE_S = 10.0
"""How long a request may take from the look-up of the name to the last byte of the answer, in seconds."""

ANSWER_BYTES = 256 * 1024
"""The most content of one answer."""

_HEAD_BYTES = 64 * 1024
_CONNECT_S = 5.0


@implementer(IAgentEndpointFactory)
@define
class _OneEndpoint:
    """Gives one exchange the endpoint that was made for it."""

    _endpoint: IStreamClientEndpoint

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        return self._endpoint


@implementer(IBodyProducer)
@define
class _Content:
    """A request's content that is in memory already."""

    _text: bytes

    @property
    def length(self) -> int:
        return len(self._text)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._text)
        return succeed(None)

    def pauseProducing(self) -> None:
        """All was written at once."""

    def resumeProducing(self) -> None:
        """All was written at once."""

    def stopProducing(self) -> None:
        """All was written at once."""


class _Collector(Protocol):
    """
    Collects an answer's content; the endpoint below bounds how much there can be.

    :ivar whole: fires with the content where the answer says that it is complete.
    """

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._pieces: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        self._pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if reason.check(ResponseDone):
            self.whole.callback(b"".join(self._pieces))
        elif reason.check(PotentialDataLoss):
            # It ended with the connection, without a length: nobody can tell whether that was all of it.
            self.whole.errback(UpstreamFault())
        else:
            self.whole.errback(reason)


@implementer(IHTTPClient)
@define
class NetworkHTTPClient:
    """
    Twisted's `Agent`, with a deadline over the whole exchange and a bound on everything that comes back.

    No redirect, no cookie, no decompression, no connection kept: what is not wanted is not built in.

    :ivar _tls: whom to believe; the system's certificate authorities by default.
    """

    _reactor: Any  # it provides IReactorTime and IReactorTCP, and no type says both
    _tls: IPolicyForHTTPS = Factory(IssuerTLS)
    _deadline_s: float = DEADLINE_S
    _answer_bytes: int = ANSWER_BYTES

    async def get(self, url: str, fields: Sequence[tuple[bytes, bytes]]) -> HTTPAnswer:
        """Ask with GET; see `IHTTPClient`."""
        return await self._within_deadline(b"GET", url, fields, None)

    async def post(self, url: str, fields: Sequence[tuple[bytes, bytes]], body: bytes) -> HTTPAnswer:
        """Ask with POST; see `IHTTPClient`."""
        return await self._within_deadline(b"POST", url, fields, body)

    async def _within_deadline(self, method: bytes, url: str, fields: Sequence[tuple[bytes, bytes]], body: bytes | None) -> HTTPAnswer:
        endpoint = BoundedEndpoint(self._endpoint(URI.fromBytes(url.encode("ascii"))), self._answer_bytes + _HEAD_BYTES)
        exchange = Deferred.fromCoroutine(self._exchange(endpoint, method, url, fields, body))
        exchange.addTimeout(self._deadline_s, self._reactor, onTimeoutCancel=_too_slow)
        try:
            return await exchange
        finally:
            endpoint.abort()

    async def _exchange(
        self, endpoint: IStreamClientEndpoint, method: bytes, url: str, fields: Sequence[tuple[bytes, bytes]], body: bytes | None
    ) -> HTTPAnswer:
        agent = Agent.usingEndpointFactory(self._reactor, _OneEndpoint(endpoint), HTTPConnectionPool(self._reactor, persistent=False))
        content = None if body is None else _Content(body)
        try:
            response: IResponse = await agent.request(method, url.encode("ascii"), _headers(fields), content)
            _check_uncoded(response)
            collector = _Collector()
            response.deliverBody(collector)
            text = await collector.whole
        except (ConnectError, ConnectionClosed, DNSLookupError):
            raise UpstreamUnreachable from None
        except (RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed) as e:
            _raise_cause(e)
        if len(text) > self._answer_bytes:
            raise AnswerTooLarge
        return HTTPAnswer(response.code, _fields(response), text)

    def _endpoint(self, uri: URI) -> IStreamClientEndpoint:
        host = uri.host.decode("ascii")
        endpoint: IStreamClientEndpoint
        if host.endswith(".localhost"):
            # RFC 6761 §6.3: these names are this machine, whatever a resolver thinks; not every resolver knows them.
            endpoint = TCP4ClientEndpoint(self._reactor, "127.0.0.1", uri.port, timeout=_CONNECT_S)
        else:
            endpoint = HostnameEndpoint(self._reactor, host, uri.port, timeout=_CONNECT_S)
        return endpoint if uri.scheme == b"http" else wrapClientTLS(self._tls.creatorForNetloc(uri.host, uri.port), endpoint)


def _headers(fields: Sequence[tuple[bytes, bytes]]) -> Headers:
    headers = Headers({b"User-Agent": [b"Coral Gate"], b"Accept-Encoding": [b"identity"]})
    for name, value in fields:
        headers.addRawHeader(name, value)
    return headers


def _fields(response: IResponse) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name, value) for name, values in response.headers.getAllRawHeaders() for value in values)


def _check_uncoded(response: IResponse) -> None:
    codings = response.headers.getRawHeaders(b"content-encoding", [b"identity"])
    if any(coding.strip().lower() != b"identity" for coding in codings):
        raise UpstreamFault


def _too_slow(result: object, deadline_s: float) -> NoReturn:
    raise UpstreamTooSlow


def _raise_cause(wrapped: Exception) -> NoReturn:
    causes = list(_causes(wrapped))
    if any(isinstance(cause, AnswerTooLarge) for cause in causes):
        raise AnswerTooLarge from None
    if isinstance(wrapped, ResponseNeverReceived) and not any(isinstance(cause, ValueError | LookupError) for cause in causes):
        raise UpstreamUnreachable from None
    raise UpstreamFault from None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    reasons: Sequence[Failure] = getattr(error, "reasons", ())
    for reason in reasons:
        if reason.value is not None:
            yield reason.value
            yield from _causes(reason.value)
