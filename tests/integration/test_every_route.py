"""Every way in, asked by a stranger of the running daemon: by each method, as a WebSocket, and with every header that might let one in."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from coral_gate.gate.origins import Side
from coral_gate.gate.routes import ANY, LOCAL_ISSUER, ROUTES, Guard
from tests.integration.daemon import Daemon
from tests.integration.node_origin import NodeOrigin
from tests.integration.test_try_out import Answer, Browser

SANDBOX = "z" * 26
UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip
_NAMES = """
X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Port X-Forwarded-Uri X-Forwarded-User
X-Forwarded-Email X-Forwarded-Groups X-Forwarded-Preferred-Username X-Forwarded-Access-Token
X-Forwarded-Method X-Forwarded-Prefix X-Forwarded-Server X-Forwarded-Client-Cert Forwarded X-Real-IP
X-Client-IP X-Cluster-Client-IP X-Originating-IP X-Remote-IP X-Remote-Addr True-Client-IP CF-Connecting-IP
Fastly-Client-IP X-ProxyUser-Ip X-Original-URL X-Rewrite-URL X-Original-Host X-Host X-HTTP-Host-Override
X-HTTP-Method-Override X-HTTP-Method X-Method-Override Via X-User X-User-Id X-User-Email X-Username X-Email
X-Groups X-Remote-User Remote-User X-Remote-Group X-Auth-User X-Auth-Request-User X-Auth-Request-Email
X-Auth-Token X-Authenticated-User X-WebAuth-User X-Webauth-Email X-Goog-IAP-JWT-Assertion
X-Goog-Authenticated-User-Email X-Amzn-Oidc-Identity X-MS-Client-Principal CF-Access-Authenticated-User-Email
Tailscale-User-Login X-OpenClaw-Scopes X-Coral-User X-Coral-Session X-SSL-Client-CN SSL-Client-Verify
X-Client-Cert Authorization Proxy-Authorization User-Agent
"""
NAMES = _NAMES.split()
"""What some server in the world takes for an identity, an address or a decision."""

SETTINGS = f"""
[[sandbox]]
id = "{SANDBOX}"
name = "Closed"
app = {{ kind = "tcp", host = "127.0.0.1", port = @APP@ }}
owner = {{ issuer = "https://issuer.example", subject = "owner" }}
[sign_in]
built_in = true
"""


PUBLIC = {route.name for route in (*ROUTES, LOCAL_ISSUER) if route.guard is Guard.PUBLIC}


class EveryRouteTests(TestCase):
    """A stranger."""

    timeout = 120

    async def test_stranger(self) -> None:
        """Only what is enumerated as public answers anything but 401 or the way to sign in; nothing reaches a sandbox."""
        origin = await NodeOrigin.start(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(origin.stop()))
        folder = Path(tempfile.mkdtemp(prefix="coral-routes-"))
        daemon = await Daemon.start(reactor, folder, [], SETTINGS.replace("@APP@", str(origin.ports[0])))
        self.addCleanup(lambda: Deferred.fromCoroutine(daemon.stop()))
        answers = await deferToThread(self._ask_all, daemon.port)
        public = sorted({name for name, answer in answers if answer.status not in (401, 303)})
        print(f"\nanswers a stranger: {', '.join(public)}")
        self.assertLessEqual(set(public), PUBLIC)
        self.assertIn("portal.sign-in", public)
        for name, answer in answers:
            self._check(name, answer)
        self.assertEqual(await origin.take(), [])

    def _ask_all(self, port: int) -> list[tuple[str, Answer]]:
        """Each route by each method, as a WebSocket, as a script and as a visit; with the headers on each that is not public."""
        hosts = {Side.PORTAL: f"gate.localhost:{port}", Side.SANDBOX: f"{SANDBOX}.sbx.localhost:{port}"}
        answers = []
        for route in (*ROUTES, LOCAL_ISSUER):
            url = f"https://{hosts[route.side]}{route.path.decode()}" + ("x" if route.subtree else "")
            own = {"Origin": f"https://{hosts[route.side]}"}
            for method in sorted(ANY):
                answers.append((route.name, Browser(port).ask(url, method.decode(), fields={"Accept": "*/*", **own})))
            answers += [(route.name, Browser(port).ask(url)), (route.name, Browser(port).ask(url, fields=UPGRADE))]
            if route.guard is not Guard.PUBLIC:
                for name in NAMES:
                    for value in ("admin", "127.0.0.1", "/static/"):
                        answers.append((route.name, Browser(port).ask(url, fields={"Accept": "*/*", name: value})))
                every = dict.fromkeys(NAMES, "admin")
                answers += [
                    (route.name, Browser(port).ask(url, fields=every)),
                    (route.name, Browser(port).ask(url, fields=every | UPGRADE)),
                ]
        return answers

    def _check(self, name: str, answer: Answer) -> None:
        """What every answer of the gate says about itself, and what none says."""
        self.assertNotEqual(answer.status, 101, name)
        if answer.status == 303 and name not in PUBLIC:
            self.assertRegex(answer.field("location"), r"^(/sign-in(\?next=.*)?|https://gate\.localhost:\d+/handoff\?.*)$", name)
        policy = answer.field("content-security-policy")
        self.assertTrue("default-src 'none'" in policy and "frame-ancestors 'none'" in policy, name)
        self.assertEqual(answer.field("x-content-type-options"), "nosniff", name)
        self.assertIn(answer.field("referrer-policy"), ("no-referrer", "same-origin"), name)
        self.assertIn("max-age=31536000; includeSubDomains", answer.field("strict-transport-security"), name)
        self.assertEqual(answer.field("cross-origin-opener-policy"), "same-origin", name)
        self.assertFalse(answer.field("server") or answer.field("x-powered-by"), name)
        for key, value in answer.fields:
            if key.lower() == "set-cookie":
                self.assertTrue(value.startswith("__Host-") and "Secure" in value and "HttpOnly" in value and "SameSite=Lax" in value, name)
