"""
TLS toward an issuer: its certificate names the host that was asked for, or there is no connection.

Twisted's own check lets a certificate through whose names cannot be read at all, as one without `subjectAltName`: where the
comparison raises anything but a mismatch, Twisted 26.10 writes that into the log and goes by the chain alone. Here
whatever is not a match is a refusal.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field
from OpenSSL.crypto import X509
from OpenSSL.SSL import VERIFY_FAIL_IF_NO_PEER_CERT, VERIFY_PEER, Connection
from service_identity.hazmat import DNS_ID, IPAddress_ID, ServiceID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import optionsForClientTLS, platformTrust
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer


@implementer(IPolicyForHTTPS)
@define
class IssuerTLS:
    """
    Verifies chain and host.

    :ivar _trust: the certificate authorities; the system's by default.
    """

    _trust: Any = field(factory=platformTrust)  # what trust roots provide is named in a private module of Twisted

    def creatorForNetloc(self, hostname: bytes, port: int) -> IOpenSSLClientConnectionCreator:
        """Connections to this host; see `IPolicyForHTTPS`."""
        host = hostname.decode("ascii")
        return _Verified(host, optionsForClientTLS(host, trustRoot=self._trust))


@implementer(IOpenSSLClientConnectionCreator)
@define
class _Verified:
    _host: str
    _inner: IOpenSSLClientConnectionCreator

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> Connection:
        connection: Connection = self._inner.clientConnectionForTLS(tlsProtocol)
        connection.set_verify(VERIFY_PEER | VERIFY_FAIL_IF_NO_PEER_CERT, self._is_right)
        return connection

    def _is_right(self, connection: Connection, certificate: X509, error: int, depth: int, chain_holds: int) -> bool:
        if depth or not chain_holds:
            return bool(chain_holds)
        try:
            verify_service_identity(extract_patterns(certificate), [_wanted(self._host)], [])
        except Exception:  # a stranger made the certificate: whatever goes wrong in reading it, it is not the issuer's
            return False
        return True


def _wanted(host: str) -> ServiceID:
    return IPAddress_ID(host) if isIPAddress(host) or isIPv6Address(host) else DNS_ID(host)
