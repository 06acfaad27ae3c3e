"""OpenClaw's UI over HTTP, through a whole exchange: its credential, its document, and what must not come back."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.breaker import Breaker
from coral_gate.channels.openclaw_document import DOCUMENT_BYTES, SCRIPT
from coral_gate.channels.openclaw_http import OpenClawHTTP
from coral_gate.custody.memory_credentials import MemoryCredentials
from coral_gate.custody.of_sandboxes import SandboxCredentials
from coral_gate.model import ChannelKind, SandboxId, Secret, ServiceName, UserId
from tests.edge.bench import SANDBOX, Bench, get, lose, one_sandbox

PASSWORD = b"xK2Pq8RtY4mNw7BvZ3cL"
OWNER = UserId("https://issuer.example", "ada")
POLICY = b"default-src 'self'; script-src 'self' 'sha256-abc='; connect-src 'self' ws: wss:"
HTML = b"<!doctype html>\n<html lang=en>\n <head>\n  <title>x</title></head></html>"


@define(eq=False)
class SlowVault(MemoryCredentials):
    """Opens when the test says so, and keeps what it has opened."""

    asked: list[Deferred[None]] = field(factory=list)
    cancelled: int = 0
    opened: bool = False

    def kept(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        """What was opened."""
        return super().kept(owner, sandbox, service) if self.opened else None

    async def open(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        """Later."""
        asked: Deferred[None] = Deferred(lambda _: setattr(self, "cancelled", self.cancelled + 1))
        self.asked.append(asked)
        await asked
        self.opened = True
        return await super().open(owner, sandbox, service)


class OpenClawTests(SynchronousTestCase):
    """One browser, one sandbox that speaks OpenClaw."""

    def setUp(self) -> None:
        self.bench = Bench()
        self.vault = SlowVault()
        self.vault.put(OWNER, SANDBOX, ServiceName.APP, Secret(PASSWORD))
        self.credentials = SandboxCredentials(self.vault, self.owner_of)
        channel = OpenClawHTTP(one_sandbox(self.bench.link), self.credentials, Breaker(self.bench.clock.seconds))
        self.bench.door.channels[ChannelKind.HTTP] = channel  # type: ignore[index]  # the bench's is a dict
        self.connection, self.wire = self.bench.browser()

    async def owner_of(self, sandbox: SandboxId) -> UserId | None:
        """Ada's."""
        return OWNER

    def ask(self, *fields: bytes, path: bytes = b"/", method: bytes = b"GET") -> bytes:
        """One request whose credential is there; gives what the sandbox sees."""
        self.connection.dataReceived(get(path, *fields, method=method))
        if self.vault.asked and not self.vault.asked[-1].called:
            self.vault.asked[-1].callback(None)
        return self.bench.sandbox()[1].take() if self.bench.link.wires else b""

    def answered(self, content: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
        """What the browser sees of an answer."""
        head = b"\r\n".join([b"HTTP/1.1 " + status, b"Content-Length: %d" % len(content), *fields])
        self.bench.sandbox()[0].dataReceived(head + b"\r\n\r\n" + content)
        return self.wire.take()

    def document(self, content: bytes = HTML, policy: bytes = POLICY) -> bytes:
        """What the browser sees of a document."""
        return self.answered(
            content, b"Content-Type: text/html; charset=utf-8", b'ETag: "x"', b"Cache-Control: no-cache", b"Set-Cookie: a=1",
            b"Content-Security-Policy: " + policy,
        )  # fmt: skip

    # -- toward the sandbox --------------------------------------------------------------------------------------------

    def test_sent(self) -> None:
        """Host, Origin and credential are the gate's; no condition, cookie or authority of the browser goes on."""
        sent = self.ask(
            b"Authorization: Bearer mine", b"Cookie: a=1", b"If-None-Match: x", b"Range: bytes=0-1", b"Accept-Encoding: br", b"X-A: b"
        )
        self.assertEqual(
            sent,
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1:18789\r\nOrigin: http://127.0.0.1:18789\r\nAccept-Encoding: identity\r\n"
            b"Authorization: Bearer " + PASSWORD + b"\r\nX-A: b\r\n\r\n",
        )

    def test_place_of_the_ui(self) -> None:
        """Whatever place of the UI is asked for, OpenClaw is asked for its document, so that no plugin's route lies behind one."""
        for path in (b"/plugins/geolocation?x=1", b"/chat/main?token=x", b"/index.html", b"/?gatewayUrl=x"):
            self.assertTrue(self.ask(path=path).startswith(b"GET / HTTP/1.1\r\n"), path)
            self.document()
        self.assertTrue(self.ask(path=b"/avatar/x?v=1").startswith(b"GET /avatar/x?v=1 HTTP/1.1\r\n"))

    def test_not_offered(self) -> None:
        """What the UI does not ask for is not there, no credential is opened and nothing is dialled; a word says so."""
        for path, method in ((b"/tools/invoke", b"GET"), (b"/__openclaw__/canvas/x", b"GET"), (b"/", b"DELETE")):
            self.connection.dataReceived(get(path, method=method))
            self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 404 "), path)
        self.assertEqual((self.vault.asked, self.bench.link.wires, self.bench.refusals), ([], [], ["not-offered"] * 3))

    def test_assets_compressed(self) -> None:
        """Of what a browser takes, an asset comes in what OpenClaw has it in; anything else comes plain."""
        self.assertIn(b"\r\nAccept-Encoding: br, gzip\r\n", self.ask(b"Accept-Encoding: gzip, deflate, br, zstd", path=b"/assets/a.js"))
        seen = self.answered(b"\x00\x01", b"Content-Encoding: br", b"Content-Type: text/javascript")
        self.assertIn(b"\r\nContent-Encoding: br\r\n", seen)
        self.assertTrue(seen.endswith(b"\r\n\r\n\x00\x01"))
        self.ask(b"Accept-Encoding: br", path=b"/control-ui-config.json")
        self.assertTrue(self.answered(b"{}", b"Content-Encoding: br").startswith(b"HTTP/1.1 502 "))

    # -- the credential ------------------------------------------------------------------------------------------------

    def test_waits_for_the_credential(self) -> None:
        """Nothing is dialled until the credential is open; afterwards the next request has it at once."""
        self.connection.dataReceived(get(b"/"))
        self.assertEqual(self.bench.link.wires, [])
        self.vault.asked[0].callback(None)
        self.document()
        self.assertIn(PASSWORD, self.ask())
        self.assertEqual(len(self.vault.asked), 1)

    def test_browser_gone(self) -> None:
        """A browser that goes while the credential is opened takes the question with it."""
        self.connection.dataReceived(get(b"/"))
        lose(self.connection, ConnectionDone())
        self.assertEqual((self.vault.cancelled, self.bench.link.wires), (1, []))

    def test_credential_too_slow(self) -> None:
        """One that does not come in time ends the request, and nothing is dialled."""
        self.connection.dataReceived(get(b"/"))
        self.bench.pass_time(self.bench.times.upstream_connect_s + 2)
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 504 "))
        self.assertEqual((self.vault.cancelled, self.bench.link.wires), (1, []))

    def test_line_break(self) -> None:
        """A credential with a line break in it is no field value, and is not sent."""
        self.vault.put(OWNER, SANDBOX, ServiceName.APP, Secret(b"abc\r\nX-Evil: 1"))
        self.ask()
        self.assertEqual((self.wire.take()[:13], self.bench.link.wires), (b"HTTP/1.1 502 ", []))

    def test_stale(self) -> None:
        """A 401 never passes: the credential is dropped, and the same one is not sent again for a while."""
        self.ask()
        seen = self.answered(b"no", b"WWW-Authenticate: Bearer", status=b"401 Unauthorized")
        self.assertTrue(seen.startswith(b"HTTP/1.1 502 "))
        self.assertNotIn(b"WWW-Authenticate", seen)
        self.assertEqual(self.vault.dropped, [SANDBOX])
        wires = len(self.bench.link.wires)
        self.ask()
        self.assertEqual((self.wire.take()[:13], len(self.bench.link.wires)), (b"HTTP/1.1 503 ", wires))

    # -- the document --------------------------------------------------------------------------------------------------

    def test_document(self) -> None:
        """The document comes whole, with one script more, as long as it says, kept by nobody, and talks to its own host alone."""
        self.ask()
        head, _, content = self.document().partition(b"\r\n\r\n")
        self.assertEqual(content, HTML.replace(b"<head>", b"<head>" + SCRIPT))
        self.assertIn(b"\r\nContent-Length: %d" % len(content), head)
        self.assertIn(b"\r\nCache-Control: no-store", head)
        own = b"connect-src 'self' wss://" + b"a" * 26 + b".sbx.localhost:8443 data:"
        self.assertIn(b"script-src 'self' 'sha256-abc='; " + own + b"\r\n", head)
        self.assertEqual(head.count(b"connect-src"), 2)
        self.assertEqual(head.count(own), 2)
        for gone in (b"ETag", b"Cache-Control: no-cache", b"Set-Cookie", b"connect-src 'self'\r\n", b"connect-src 'self' ws:"):
            self.assertNotIn(gone, head)

    def test_document_in_pieces(self) -> None:
        """However it is cut, it is the same, and nothing is sent before there is all of it."""
        self.ask()
        protocol, _ = self.bench.sandbox()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Security-Policy: %b\r\nContent-Length: %d\r\n\r\n"
        octets = head % (POLICY, len(HTML)) + HTML
        for at in range(len(octets) - 1):
            protocol.dataReceived(octets[at : at + 1])
        self.assertEqual(self.wire.take(), b"")
        protocol.dataReceived(octets[-1:])
        self.assertTrue(self.wire.take().endswith(HTML.replace(b"<head>", b"<head>" + SCRIPT)))

    def test_document_head(self) -> None:
        """HEAD has nothing to change, and is answered."""
        self.ask(method=b"HEAD")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Security-Policy: " + POLICY
        self.bench.sandbox()[0].dataReceived(head + b"\r\n\r\n")
        self.assertTrue(self.wire.take().startswith(b"HTTP/1.1 200 "))

    def test_not_the_document(self) -> None:
        """Another document, one that is too long, and one without a policy for scripts is refused, not passed as it is."""
        for content, policy in (
            (b"<p>hello", POLICY), (HTML, b"default-src *"), (HTML, b"script-src *, script-src 'self'"),
            (HTML + b" " * DOCUMENT_BYTES, POLICY),
        ):  # fmt: skip
            self.ask()
            self.assertTrue(self.document(content, policy).startswith(b"HTTP/1.1 502 "))

    def test_other_pages(self) -> None:
        """What is shown as a page and is not the UI's document is shown apart from the origin; a worker is a script or nothing."""
        for path, kind in ((b"/api/artifacts/download/x", b"text/html"), (b"/avatar/x", b"image/svg+xml"), (b"/fonts/x", b"text/html")):
            self.ask(path=path)
            self.assertIn(b"\r\nContent-Security-Policy: sandbox allow-scripts", self.answered(b"<p>", b"Content-Type: " + kind))
        self.ask(path=b"/sw.js")
        self.assertTrue(self.answered(b"<p>", b"Content-Type: text/html").startswith(b"HTTP/1.1 502 "))

    # -- leaks ---------------------------------------------------------------------------------------------------------

    def test_leak_in_head(self) -> None:
        """The credential in a field of the answer stops it."""
        self.ask(path=b"/avatar/x")
        seen = self.answered(b"x", b"X-Debug: auth=" + PASSWORD)
        self.assertTrue(seen.startswith(b"HTTP/1.1 502 "))
        self.assertNotIn(PASSWORD, seen)
        self.assertEqual(self.bench.refusals, ["secret-sent"])

    def test_leak_in_content(self) -> None:
        """The credential in the content stops it, in a document and across pieces; an answer that has begun is cut."""
        self.ask()
        self.assertTrue(self.document(HTML + PASSWORD).startswith(b"HTTP/1.1 502 "))
        self.ask(path=b"/avatar/x")
        protocol, _ = self.bench.sandbox()
        protocol.dataReceived(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + PASSWORD[:10])
        protocol.dataReceived(PASSWORD[10:])
        self.assertNotIn(PASSWORD, self.wire.take())
        self.assertTrue(self.wire.closed)
        self.assertEqual(self.bench.refusals, ["secret-sent"] * 2)
