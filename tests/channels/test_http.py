"""The http channel, and cookies on their way through."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.channels.cookies import COOKIES, passing_cookies, without_reserved
from coral_gate.channels.http import SANDBOX_FIELDS, HTTPChannel
from coral_gate.errors import UpstreamFault, UpstreamUnreachable
from coral_gate.http1.head import HeadLimits, read_request, read_response
from coral_gate.model import Allowed, Asker, ChannelKind, SandboxId
from tests.edge.bench import SANDBOX, TestLink, one_sandbox

AUTHORITY = b"a" * 26 + b".sbx.localhost:8443"
SECRET = b"s3cr3t-session-token"


def allowed(sandbox: SandboxId = SANDBOX, body_bytes: int | None = None) -> Allowed:
    """An allowed request."""
    return Allowed("sandbox.http", ChannelKind.HTTP, AUTHORITY, sandbox, body_bytes)


class CookieTests(SynchronousTestCase):
    """The gate's own cookies never pass, either way."""

    def test_request(self) -> None:
        """In whatever shape our cookie comes, the sandbox sees the others alone."""
        ours = b"__Host-coral=" + SECRET
        for cookie, passes in (
            (b"a=1; " + ours + b"; b=2", b"a=1; b=2"),
            (ours, b""),
            (b"a=1;" + ours + b";" + ours + b";b=2", b"a=1; b=2"),
            (b"a=1; __HOST-CORAL-sandbox=" + SECRET, b"a=1"),
            (b"a=1; __Host-Http-coral-pre=" + SECRET, b"a=1"),
            (b'a=1; __Host-coral="' + SECRET + b'"; b=2', b"a=1; b=2"),
            (b"$Version=1; a=1; " + ours + b"; $Path=/", b"$Version=1; a=1; $Path=/"),
            (b"a=1, " + ours + b"; b=2", b"b=2"),
            (b" ; ;a=1;\t" + ours, b"a=1"),
            (b"\xff\xfe=1; " + ours, b"\xff\xfe=1"),
            (b"a=" + b"x" * 8000 + b"; " + ours, b"a=" + b"x" * 8000),
            (b"a=1; b=2", b"a=1; b=2"),
        ):
            self.assertEqual(without_reserved(cookie), passes)

    @given(
        st.lists(
            st.sampled_from(
                [b"a=1", b"__Host-coral=" + SECRET, b"__host-CORAL-pre=" + SECRET, b"__Host-Http-coral-pre=" + SECRET,
                 b";", b",", b" ", b'"', b"=", b"$Path", b"\xe9"]
            )
        )
    )  # fmt: skip
    def test_never(self, parts: list[bytes]) -> None:
        """No arrangement lets a token through."""
        self.assertNotIn(SECRET, without_reserved(b"".join(parts)))

    def test_response(self) -> None:
        """A sandbox sets cookies for its own host alone, none with our names, none without a name, and not too many."""
        self.assertEqual(
            passing_cookies(
                [
                    b"a=1; Path=/; Domain=gate.localhost; Secure", b"b=2;DOMAIN=.localhost", b"__Host-coral=evil; Path=/",
                    b" __host-CORAL-sandbox=evil",
                    b"__Secure-coral=evil", b"__Http-coral=evil", b"__host-http-CORAL-pre=evil",
                    b"=__Host-coral=evil", b"__Host-coral", b"c=" + b"x" * 5000, b"d=4; domain", b"",
                    b"__Host-app=ok; Secure; Path=/",
                ]
            ),
            [b"a=1; Path=/; Secure", b"b=2", b"d=4", b"__Host-app=ok; Secure; Path=/"],
        )  # fmt: skip
        self.assertEqual(len(passing_cookies([b"a%d=1" % n for n in range(1000)])), COOKIES)


class PlanTests(SynchronousTestCase):
    """What goes to the sandbox."""

    def setUp(self) -> None:
        self.channel = HTTPChannel(one_sandbox(TestLink()), 1000)

    def lines(self, *fields: bytes) -> bytes:
        """The head for the sandbox."""
        head = read_request(b"\r\n".join([b"POST /p HTTP/1.1", b"Host: x", *fields]), HeadLimits())
        return b"\r\n".join(self.channel.plan(head, allowed(), Asker(1, "192.0.2.1")).lines)

    def test_own_words(self) -> None:
        """Host, Origin and Accept-Encoding are the gate's own words; credentials and identities of the browser stop here."""
        sent = self.lines(
            b"Origin: https://anything",
            b"Accept-Encoding: br",
            b"Authorization: Basic x",
            b"Cookie: __Host-coral=" + SECRET,
            b"X-Forwarded-Host: evil",
            b"X-A: b",
        )
        self.assertEqual(
            sent,
            b"POST /p HTTP/1.1\r\nHost: " + AUTHORITY + b"\r\nAccept-Encoding: identity\r\nOrigin: https://" + AUTHORITY + b"\r\nX-A: b",
        )

    def test_pool_is_private(self) -> None:
        """Streams are shared by one connection's requests alone, while nobody has signed in."""
        head = read_request(b"GET / HTTP/1.1\r\nHost: x", HeadLimits())
        keys = {self.channel.plan(head, allowed(), Asker(serial, "192.0.2.1")).pool for serial in (1, 1, 2)}
        self.assertEqual(len(keys), 2)

    def test_unknown(self) -> None:
        """A sandbox that no driver knows cannot be reached."""
        head = read_request(b"GET / HTTP/1.1\r\nHost: x", HeadLimits())
        self.assertRaises(UpstreamUnreachable, self.channel.plan, head, allowed(SandboxId("b" * 26)), Asker(1, ""))

    def test_limits(self) -> None:
        """A route's own limit of content goes before the configured one."""
        head = read_request(b"GET / HTTP/1.1\r\nHost: x", HeadLimits())
        self.assertEqual([self.channel.plan(head, allowed(body_bytes=n), Asker(1, "")).body_bytes for n in (None, 0, 5)], [1000, 0, 5])


class AnswerTests(SynchronousTestCase):
    """What comes back."""

    def answer(self, *fields: bytes, first: bytes = b"HTTP/1.1 200 OK") -> bytes:
        """The head for the browser."""
        head = read_response(b"\r\n".join([first, *fields]), HeadLimits())
        return b"\r\n".join(HTTPChannel(one_sandbox(TestLink()), 0).answer(head, allowed()))

    def test_own_words(self) -> None:
        """The phrase is the standard one, what would weaken the origin is gone, and the gate's own fields stand beside the sandbox's."""
        head = self.answer(
            b"Content-Type: text/html", b"Content-Security-Policy: default-src *", b"Strict-Transport-Security: max-age=0", b"Server: x",
            b"Set-Cookie: __Host-coral=evil", b"Set-Cookie: a=1; Domain=x", b"Service-Worker-Allowed: /", b"Referrer-Policy: unsafe-url",
            first=b"HTTP/1.1 200 <script>",
        )  # fmt: skip
        self.assertEqual(
            head,
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Security-Policy: default-src *\r\nSet-Cookie: a=1\r\n" + SANDBOX_FIELDS,
        )
        self.assertTrue(self.answer(first=b"HTTP/1.1 299 x").startswith(b"HTTP/1.1 299 \r\n"))

    def test_every_dangerous_field(self) -> None:
        """What a sandbox may not say of its origin, its transport or ours does not pass, in any case."""
        for name in (b"Alt-Svc Service-Worker-Allowed NEL Report-To Reporting-Endpoints Clear-Site-Data Public-Key-Pins"
                     b" Access-Control-Allow-Origin"
                     b" Access-Control-Allow-Credentials Server X-Powered-By Via WWW-Authenticate Origin-Agent-Cluster Trailer"
                     b" Proxy-Authenticate"
                     b" X-Accel-Redirect Sec-WebSocket-Accept X-Coral-Anything").split():  # fmt: skip
            for spelling in (name, name.upper(), name.lower()):
                self.assertNotIn(b"planted", self.answer(spelling + b": planted"), name)

    def test_redirect_not_followed(self) -> None:
        """A redirect is the browser's to follow."""
        self.assertIn(
            b"\r\nLocation: https://elsewhere.example/\r\n",
            self.answer(b"Location: https://elsewhere.example/", first=b"HTTP/1.1 302 Found"),
        )

    def test_encoded(self) -> None:
        """An encoded answer to a request for identity cannot be looked into, and is refused."""
        self.assertRaises(UpstreamFault, self.answer, b"Content-Encoding: gzip")
        self.assertIn(b"200", self.answer(b"Content-Encoding: Identity"))
