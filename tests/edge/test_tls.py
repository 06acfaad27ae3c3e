"""TLS toward browsers, with OpenSSL at both ends and no socket between them."""

from __future__ import annotations

from pathlib import Path

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config.sections.limits import LimitsConfig
from coral_gate.config.sections.tls import CertificateConfig, TLSConfig
from coral_gate.edge.listener import FrontFactory
from coral_gate.edge.tls import Certificates, TLSFrontFactory
from coral_gate.errors import ConfigError
from tests.edge.bench import HOST, SANDBOX, Bench, Wire, get
from tests.edge.certificates import write_certificate

NAME = HOST.removeprefix(b"Host: ").partition(b":")[0]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Client:
    """A TLS client whose bytes a test carries to a factory and back."""

    def __init__(
        self, factory: TLSFrontFactory, name: bytes | None, context: SSL.Context | None = None, alpn: list[bytes] | None = None
    ) -> None:
        context = context or SSL.Context(SSL.TLS_METHOD)
        if alpn:
            context.set_alpn_protos(alpn)
        self.tls = SSL.Connection(context, None)
        if name is not None:
            self.tls.set_tlsext_host_name(name)
        self.tls.set_connect_state()
        self.wire = Wire()
        protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
        assert protocol is not None
        self.protocol = protocol
        protocol.makeConnection(self.wire)

    def shake_hands(self) -> None:
        """Carry bytes until both are done."""
        for _ in range(6):
            try:
                self.tls.do_handshake()
            except SSL.WantReadError:
                self.carry()
        self.carry()

    def carry(self) -> None:
        """Carry what each has for the other."""
        for _ in range(3):
            try:
                self.protocol.dataReceived(self.tls.bio_read(1 << 16))
            except SSL.WantReadError:
                pass
            answer = self.wire.take()
            if answer:
                self.tls.bio_write(answer)

    def ask(self, request: bytes) -> bytes:
        """Send a request and give what comes back so far."""
        self.tls.send(request)
        self.carry()
        return self.read()

    def read(self) -> bytes:
        """What has come."""
        self.carry()
        try:
            return self.tls.recv(1 << 16)
        except SSL.WantReadError:
            return b""


class TLSTests(SynchronousTestCase):
    """What a browser meets."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        portal = write_certificate(self.folder, "portal", "gate.localhost")
        sandboxes = write_certificate(self.folder, "sandboxes", "*.sbx.localhost")
        self.config = TLSConfig(
            certificates=(
                CertificateConfig(names=("gate.localhost",), certificate=portal[0], key=portal[1]),
                CertificateConfig(names=("*.sbx.localhost",), certificate=sandboxes[0], key=sandboxes[1]),
            )
        )
        self.bench = Bench()
        self.factory = self.make(self.config)

    def make(self, config: TLSConfig) -> TLSFrontFactory:
        """A factory."""
        return TLSFrontFactory(Certificates(config, "test"), FrontFactory(self.bench.door, tls=True))

    def test_names(self) -> None:
        """Each name gets its certificate; a stranger's name the first."""
        for name, subject in (
            (b"gate.localhost", "gate.localhost"),
            (NAME, "*.sbx.localhost"),
            (b"evil.example", "gate.localhost"),
            (None, "gate.localhost"),
        ):
            client = Client(self.factory, name)
            client.shake_hands()
            shown = client.tls.get_peer_certificate()
            assert shown is not None
            self.assertEqual(shown.get_subject().commonName, subject)

    def test_served(self) -> None:
        """A request inside TLS is served like any other."""
        client = Client(self.factory, NAME)
        client.shake_hands()
        client.ask(get())
        self.bench.sandbox()[0].dataReceived(OK)
        self.assertTrue(client.read().endswith(b"hi"))

    def test_goodbye_while_full(self) -> None:
        """A peer that says goodbye while it still has to read is let go when it has: nothing more is asked of the sandbox for it."""
        client = Client(self.factory, NAME)
        client.shake_hands()
        client.ask(get())
        upstream, sandbox = self.bench.sandbox()
        upstream.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        client.wire.fill()
        self.assertEqual(sandbox.producerState, "paused")
        client.tls.shutdown()
        client.protocol.dataReceived(client.tls.bio_read(1 << 16))
        self.assertEqual((client.wire.disconnecting, client.wire.producer), (True, None))  # it closes once its buffer is empty
        self.assertEqual(sandbox.producerState, "paused")
        client.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(sandbox.aborted)

    def test_other_name(self) -> None:
        """A connection that was opened for one name serves no other: 421."""
        for name in (b"gate.localhost", b"b" * 26 + b".sbx.localhost"):
            client = Client(self.factory, name)
            client.shake_hands()
            self.assertTrue(client.ask(get()).startswith(b"HTTP/1.1 421 "))

    def test_cookies_without_end(self) -> None:
        """A sandbox's visitor whose cookies fit no head is rid of them at once; the portal's cookies are nobody's to clear."""
        for name, cleared in ((NAME, True), (b"gate.localhost", False)):
            client = Client(self.factory, name)
            client.shake_hands()
            pieces = [b"GET / HTTP/1.1\r\nHost: " + name + b":8443\r\nCookie: a=", *[b"x" * 8000] * 9]
            answer = next(filter(None, map(client.ask, pieces)))
            self.assertTrue(answer.startswith(b"HTTP/1.1 431 "), answer)
            self.assertIs(b'\r\nClear-Site-Data: "cookies"\r\n' in answer, cleared)

    def test_only_http11(self) -> None:
        """HTTP/1.1 is chosen; who speaks HTTP/2 alone gets no connection (RFC 7301 §3.2)."""
        for offered in ([b"h2", b"http/1.1"], [b"http/1.1"]):
            client = Client(self.factory, NAME, alpn=offered)
            client.shake_hands()
            self.assertEqual(client.tls.get_alpn_proto_negotiated(), b"http/1.1")
        self.assertRaises(SSL.Error, Client(self.factory, NAME, alpn=[b"h2"]).shake_hands)

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3 and nothing older; with minimum 1.3 nothing but that."""
        strict = self.make(TLSConfig(minimum="1.3", certificates=self.config.certificates))
        for factory, version, works in (
            (self.factory, SSL.TLS1_3_VERSION, True), (self.factory, SSL.TLS1_2_VERSION, True), (self.factory, SSL.TLS1_1_VERSION, False),
            (strict, SSL.TLS1_3_VERSION, True), (strict, SSL.TLS1_2_VERSION, False),
        ):  # fmt: skip
            context = SSL.Context(SSL.TLS_METHOD)
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
            context.set_min_proto_version(version)
            context.set_max_proto_version(version)
            client = Client(factory, NAME, context)
            try:
                client.shake_hands()
                self.assertEqual(client.tls.get_cipher_name() is not None, works, version)
            except SSL.Error:
                self.assertFalse(works, version)
        self.flushLoggedErrors(SSL.Error)

    def test_weak_ciphers(self) -> None:
        """Without forward secrecy or authenticated encryption there is no connection."""
        for cipher in (b"AES256-GCM-SHA384", b"ECDHE-ECDSA-AES256-SHA384", b"ECDHE-ECDSA-AES128-SHA"):
            context = SSL.Context(SSL.TLS_METHOD)
            context.set_max_proto_version(SSL.TLS1_2_VERSION)
            context.set_cipher_list(cipher)
            self.assertRaises(SSL.Error, Client(self.factory, NAME, context).shake_hands)

    def test_handshake_deadline(self) -> None:
        """A hello that never comes, or half of one, is cut at the handshake's deadline."""
        silent, half = Client(self.factory, NAME), Client(self.factory, NAME)
        try:
            half.tls.do_handshake()
        except SSL.WantReadError:
            half.protocol.dataReceived(half.tls.bio_read(50))
        self.bench.pass_time(9.5)
        self.assertFalse(silent.wire.closed or half.wire.closed)
        self.bench.pass_time(1)
        self.assertTrue(silent.wire.aborted and half.wire.aborted)

    def test_capped_before_handshake(self) -> None:
        """A connection too many is closed without a handshake."""
        self.bench = Bench(limits=LimitsConfig(connections_per_address=1))
        factory = self.make(self.config)
        Client(factory, NAME)
        self.assertIsNone(factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1)))

    def test_reload(self) -> None:
        """New files are taken on reload; files that cannot be used change nothing."""
        certificates = Certificates(self.config, "test")
        factory = TLSFrontFactory(certificates, FrontFactory(self.bench.door, tls=True))
        write_certificate(self.folder, "portal", "new.localhost", "gate.localhost")
        certificates.reload()
        (self.folder / "portal.pem").write_text("nonsense")
        self.assertRaises(ConfigError, certificates.reload)
        client = Client(factory, b"gate.localhost")
        client.shake_hands()
        shown = client.tls.get_peer_certificate()
        assert shown is not None
        self.assertEqual(shown.get_subject().commonName, "new.localhost")

    def test_problems(self) -> None:
        """Every file that cannot be used is named at once: missing, no PEM, another key, a key that others may read."""
        other = write_certificate(self.folder, "other", "other.localhost")
        readable = write_certificate(self.folder, "readable", "readable.localhost")
        readable[1].chmod(0o640)
        (self.folder / "empty.pem").write_text("")
        portal = self.config.certificates[0]
        pairs = (
            (self.folder / "missing.pem", portal.key), (self.folder / "empty.pem", portal.key), (portal.certificate, other[1]), readable,
            (portal.certificate, self.folder / "missing.key"),
        )  # fmt: skip
        config = TLSConfig(certificates=tuple(CertificateConfig(names=("a.localhost",), certificate=one, key=key) for one, key in pairs))
        error = self.assertRaises(ConfigError, Certificates, config, "test")
        self.assertEqual(len(error.problems), 5)
        for problem, word in zip(error.problems, ("missing.pem", "empty.pem", "other.key", "chmod 600", "missing.key"), strict=True):
            self.assertIn(word, str(problem))
        self.assertIn(str(SANDBOX), NAME.decode())
