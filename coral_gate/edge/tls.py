"""
TLS toward browsers: 1.2 and 1.3, forward secrecy and authenticated encryption only, HTTP/1.1 only, a certificate per name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IAddress, IOpenSSLServerConnectionCreator
from twisted.internet.ssl import AcceptableCiphers, CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from coral_gate.config.sections.tls import CertificateConfig, TLSConfig
from coral_gate.edge.listener import FrontFactory
from coral_gate.errors import ConfigError, Problem

_CIPHERS = AcceptableCiphers.fromOpenSSLCipherString(
    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
)
"""RFC 9325 §4.2, and those of TLS 1.3."""

_PEM_BYTES = 1 << 20


@implementer(IOpenSSLServerConnectionCreator)
class Certificates:
    """
    The certificates, each shown for its names; where a browser names none of them it sees the first.

    :raises ConfigError: a file cannot be used; every problem with every file is in it.
    """

    def __init__(self, config: TLSConfig, where: str) -> None:
        self._config = config
        self._where = where
        self._default: SSL.Context
        self._by_name: dict[bytes, SSL.Context] = {}
        self.reload()

    def reload(self) -> None:
        """
        Read the files again; connections that are open keep what they have.

        :raises ConfigError: a file cannot be used; what was in use before stays in use.
        """
        self.prepare(self._config)()

    def prepare(self, config: TLSConfig) -> Callable[[], None]:
        """
        Read the files that a configuration names; gives what takes them into use, which cannot fail.

        :raises ConfigError: a file cannot be used.
        """
        problems: list[Problem] = []
        contexts = [_context(one, config, self._where, problems) for one in config.certificates]
        if problems:
            raise ConfigError(tuple(problems))
        by_name = {
            name.encode("ascii"): context
            for one, context in zip(config.certificates, contexts, strict=True)
            if context is not None
            for name in one.names
        }
        default = next(context for context in contexts if context is not None)
        default.set_tlsext_servername_callback(self._named)

        def take() -> None:
            self._config, self._default, self._by_name = config, default, by_name

        return take

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """A connection that has yet to be told its name."""
        return SSL.Connection(self._default, None)

    def context_for(self, name: bytes) -> SSL.Context | None:
        """The context for a server name in lower case: its own, or that of `*.` and its parent."""
        return self._by_name.get(name) or self._by_name.get(b"*." + name.partition(b".")[2])

    def _named(self, connection: SSL.Connection) -> None:
        name = connection.get_servername()
        context = self.context_for(name.lower()) if name else None
        if context is not None:
            connection.set_context(context)


def _context(one: CertificateConfig, config: TLSConfig, where: str, problems: list[Problem]) -> SSL.Context | None:
    try:
        chain = _certificates(one.certificate)
        key = _key(one.key)
        options = CertificateOptions(
            privateKey=key,
            certificate=chain[0],
            extraCertChain=chain[1:],
            raiseMinimumTo=TLSVersion.TLSv1_3 if config.minimum == "1.3" else None,
            acceptableCiphers=_CIPHERS,
            acceptableProtocols=[b"http/1.1"],
        )
        context = options.getContext()
        context.check_privatekey()
    except (OSError, ValueError, crypto.Error, SSL.Error) as e:
        problems.append(Problem(where, "tls.certificate", _why(one, e)))
        return None
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return context


def _why(one: CertificateConfig, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or one.certificate}: {error.strerror or error}."
    if isinstance(error, ValueError) and not isinstance(error, crypto.Error):
        return f"{error}"
    return f"{one.certificate} and {one.key} are not a certificate and its private key in PEM form."


def _certificates(path: Path) -> list[crypto.X509]:
    blocks = path.read_bytes()[:_PEM_BYTES].split(b"-----BEGIN CERTIFICATE-----")[1:]
    if not blocks:
        raise ValueError(f"{path} holds no PEM certificate.")
    return [crypto.load_certificate(crypto.FILETYPE_PEM, b"-----BEGIN CERTIFICATE-----" + block) for block in blocks]


def _key(path: Path) -> crypto.PKey:
    with open(path, "rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise ValueError(f"{path} is a private key that others on this machine may read; chmod 600 it.")
        return crypto.load_privatekey(crypto.FILETYPE_PEM, file.read(_PEM_BYTES))


class FrontTLS(TLSMemoryBIOProtocol):
    """
    TLS that lets go of a peer that has said goodbye.

    Twisted's own then drops what is written and closes once the buffer below is empty; but where that was full, it is the producer
    that hears of its being empty. It would write for nobody, without end.
    """

    def dataReceived(self, data: bytes) -> None:
        """Bytes of the peer; they may be its last."""
        super().dataReceived(data)
        if getattr(self.transport, "disconnecting", False):
            self.unregisterProducer()


class TLSFrontFactory(TLSMemoryBIOFactory):
    """TLS around a front factory; a connection that it refuses is closed before a handshake."""

    noisy = False
    protocol = FrontTLS  # not the one that gathers small writes for a turn: what we write is whole already

    def __init__(self, certificates: Certificates, front: FrontFactory) -> None:
        super().__init__(certificates, isClient=False, wrappedFactory=front)

    def buildProtocol(self, addr: IAddress | None) -> TLSMemoryBIOProtocol | None:  # type: ignore[override]  # Twisted's own type forgets None
        """A connection, or None where there are too many."""
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else self.protocol(self, inner)
