"""Every way into a running gate, what proxies and identity services might have written, and how to ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from coral_gate.gate.origins import Side
from coral_gate.gate.routes import LOCAL_ISSUER, ROUTES, Route
from tests.integration.answers import Answer
from tests.integration.daemon import Daemon
from tests.integration.node_origin import NodeOrigin
from tests.integration.plain_client import ask, head
from tests.integration.test_try_out import Browser

reactor: Any = _reactor  # it provides a dozen interfaces, and no type says which

MINE, SECOND, FOREIGN, UNKNOWN, OPEN = ("m" * 26, "n" * 26, "f" * 26, "u" * 26, "z" * 26)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
VISIT = ("Accept: text/html,*/*", "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
ROWS = (*ROUTES, LOCAL_ISSUER)
NOWHERE = {
    Side.PORTAL: ("/admin", "/api", "/sessions/", "/SESSIONS", "/sign-out/x", "/.gate/enter", "/static", "/metrics", "/.git/x", "/a;b"),
    Side.SANDBOX: ("/.gate", "/.gate/", "/.GATE/enter", "/.gate/tickets", "/%2egate/enter", "/.gateway", "/.gate/enter/x"),
}

SPOOFED = tuple(
    f"{name}: {value}"
    for value, names in {
        "alice": "X-Forwarded-User X-Forwarded-Email X-Forwarded-Preferred-Username X-Auth-Request-User X-Auth-Request-Email"
        " X-Remote-User Remote-User X-User X-User-Id X-Email X-Username X-Groups X-Webauth-User X-Authenticated-User X-Coral-User"
        " X-Coral-Session X-Openclaw-Scopes X-Openclaw-User Tailscale-User-Login X-Goog-Authenticated-User-Email"
        " X-Goog-IAP-JWT-Assertion X-Amzn-Oidc-Identity X-Forwarded-Groups X-Forwarded-Access-Token X-Remote-Group X-Auth-User X-Auth-Token"
        " X-MS-Client-Principal X-MS-Client-Principal-Name X-SSL-Client-CN SSL-Client-Verify X-Client-Cert X-Forwarded-Client-Cert"
        " Cf-Access-Authenticated-User-Email Proxy-User",
        "127.0.0.1": "X-Forwarded-For X-Real-IP X-Client-IP Client-IP True-Client-IP CF-Connecting-IP X-Cluster-Client-IP"
        " X-Originating-IP X-Remote-IP X-Remote-Addr Fastly-Client-IP X-Azure-ClientIP X-Envoy-External-Address X-ProxyUser-IP",
        "/static/portal.css": "X-Original-URL X-Rewrite-URL X-Forwarded-Uri X-Forwarded-Path X-Forwarded-Prefix X-Original-URI",
        "gate.localhost": "X-Forwarded-Host X-Host X-Original-Host X-Forwarded-Server X-HTTP-Host-Override",
        "GET": "X-HTTP-Method-Override X-HTTP-Method X-Method-Override X-Original-Method X-Forwarded-Method",
        "8443": "X-Forwarded-Port",
        "https": "X-Forwarded-Proto X-Forwarded-Scheme X-Url-Scheme Front-End-Https",
        "kube-probe/1.29": "User-Agent",
        "Basic YWxpY2U6YWxpY2U=": "Authorization Proxy-Authorization",
        "for=127.0.0.1;host=gate.localhost;proto=https": "Forwarded",
        "1.1 gate.localhost": "Via",
    }.items()
    for name in names.split()
)
UNDERSCORED = tuple(line.partition(":")[0].replace("-", "_") + ": alice" for line in SPOOFED if "-" in line.partition(":")[0])


@define
class Shown:
    """
    What was asked and what came back.

    :ivar route: the row that leads there, or None where nothing is there.
    """

    method: str
    host: str
    target: str
    route: Route | None
    answer: Answer
    more: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.host}{self.target} {' | '.join(self.more)} -> {self.answer.status}"


@define
class Asking:
    """Asks a running gate."""

    port: int
    portal: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.portal = f"gate.localhost:{self.port}"

    def sandbox(self, name: str = MINE) -> str:
        """The authority of a sandbox."""
        return f"{name}.sbx.localhost:{self.port}"

    def ask(self, method: str, host: str, target: str, *fields: str) -> Answer:
        """One request."""
        return ask(self.port, head(method, target, host, *fields))

    def rows(self) -> Iterator[tuple[str, str, Route | None]]:
        """Host, target and row of every way in, and of what leads nowhere."""
        for route in ROWS:
            path = route.path.decode()
            for target in (path, path + "portal.css", path + "x/y") if route.subtree else (path,):
                yield self.portal if route.side is Side.PORTAL else self.sandbox(), target, route
        for side, targets in NOWHERE.items():
            for target in targets:
                yield self.portal if side is Side.PORTAL else self.sandbox(), target, None

    def every(self, *fields: str, methods: tuple[str, ...] = METHODS) -> Iterator[Shown]:
        """Every way in, with every method, with these fields besides."""
        for host, target, route in self.rows():
            for method in methods:
                yield Shown(method, host, target, route, self.ask(method, host, target, *fields), fields)


class WaysIn(TestCase):
    """A daemon with the built-in issuer and a recording origin."""

    timeout = 120

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it; unittest's type does not know
        self.origin = await NodeOrigin.start(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.origin.stop()))
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.daemon = await Daemon.start(reactor, self.folder, [], self._settings())
        self.addCleanup(lambda: Deferred.fromCoroutine(self.daemon.stop()))
        self.gate = Asking(self.daemon.port)

    def _settings(self) -> str:
        app = f'app = {{ kind = "tcp", host = "127.0.0.1", port = {self.origin.ports[0]} }}'
        owner = 'owner = {{ issuer = "https://gate.localhost:@PORT@/local-issuer", subject = "{}" }}'
        mine, others = owner.format("owner"), owner.format("somebody-else")
        owned = [(MINE, mine), (SECOND, mine), (FOREIGN, others), (OPEN, "open = true")]
        tables = [f'[[sandbox]]\nid = "{name}"\nname = "{name[0]}"\nspeaks = "http"\n{app}\n{whose}\n' for name, whose in owned]
        return "\n" + "".join(tables) + "[sign_in]\nbuilt_in = true\n"

    def sign_in(self) -> Browser:
        """The owner's browser, signed in at the portal and at their sandbox."""
        word = re.findall(r"one-time word: (\S+)", self.daemon.log)[-1]
        browser = Browser(self.daemon.port)
        url, _ = browser.visit(f"https://{self.gate.portal}/sign-in/start", form={"next": "/"})
        browser.visit(url, form={"user": "owner", "word": word})
        _, page = browser.visit(f"https://{self.gate.sandbox()}/")
        assert page.status == 200, page
        return browser

    async def in_thread(self, work: Callable[[], None]) -> None:
        """Run what blocks; then nothing must have gone wrong inside the daemon."""
        await deferToThread(work)
        self.assertNotIn("Traceback", self.daemon.log)


def cookie_field(jar: dict[str, str]) -> str:
    """A Cookie field."""
    return "Cookie: " + "; ".join(f"{name}={value}" for name, value in jar.items())
