"""
TLS to a service whose certificate is known beforehand: the pin alone says who it is, no authority does.

An address may be given to another user's machine; a private key is not.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from attrs import define, field
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import (
    IAddress,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from coral_gate.errors import UpstreamUnreachable
from coral_gate.sandboxes.attempt import Attempt, LinkRefused

PIN_BYTES: Final = 32
_CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2; those of 1.3 are all good (RFC 9325 §4.2)."""


@implementer(IOpenSSLClientConnectionCreator)
@define(eq=False)
class PinnedTLS:
    """
    Greets transports with a TLS handshake; one for all connections of a link.

    :ivar pin: the SHA-256 of the certificate that the service must show, in its DER form.
    :ivar server_name: asked for by SNI (RFC 6066 §3), or None.
    :raises ValueError: `pin` is not 32 bytes.
    """

    _reactor: IReactorTime
    _pin: bytes = field(repr=False)
    _server_name: str | None = None
    _context: SSL.Context = field(init=False, repr=False)
    _wrapper: TLSMemoryBIOFactory = field(init=False, repr=False)

    @_pin.validator
    def _check_pin(self, attribute: object, value: bytes) -> None:
        if len(value) != PIN_BYTES:
            raise ValueError(f"a pin is {PIN_BYTES} bytes")

    def __attrs_post_init__(self) -> None:
        self._context = _context()
        self._wrapper = TLSMemoryBIOFactory(self, True, Factory(), self._reactor)

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """See `IOpenSSLClientConnectionCreator`."""
        connection = SSL.Connection(self._context, None)
        if self._server_name is not None:
            connection.set_tlsext_host_name(self._server_name.encode("ascii"))
        return connection

    def greet(self, attempt: Attempt, transport: ITCPTransport, address: IAddress) -> IProtocol:
        """See `Greeting`: only after the pin was seen is a protocol built."""
        transport.setTcpNoDelay(True)
        return BufferingTLSTransport(self._wrapper, _Shake(attempt, address, self._pin))


def _context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    # In a second handshake another certificate could be shown, which nobody would look at.
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # OpenSSL is to judge no certificate; that the service holds its key is proven all the same.
    context.set_verify(SSL.VERIFY_NONE)
    context.set_alpn_protos([b"http/1.1"])
    context.set_cipher_list(_CIPHERS)
    return context


@implementer(IHandshakeListener)
class _Shake(Protocol):
    """Holds a TLS transport until the service's certificate was compared."""

    transport: BufferingTLSTransport

    def __init__(self, attempt: Attempt, address: IAddress, pin: bytes) -> None:
        self._attempt = attempt
        self._address = address
        self._pin = pin

    def handshakeCompleted(self) -> None:
        """Compare, then hand the transport on, or cut it."""
        try:
            self._check()
            protocol = self._attempt.build(self._address)
        except UpstreamUnreachable as refused:
            self.transport.abortConnection()
            self._attempt.refuse(refused)
            return
        self.transport.wrappedProtocol = protocol
        protocol.makeConnection(self.transport)
        self._attempt.open(protocol)

    def _check(self) -> None:
        certificate = self.transport.getHandle().get_peer_certificate()
        if certificate is None:
            raise LinkRefused("pin")
        der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        if not hmac.compare_digest(hashlib.sha256(der).digest(), self._pin):
            raise LinkRefused("pin")
