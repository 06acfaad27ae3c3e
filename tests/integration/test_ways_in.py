"""Every way in, asked without a session, with a stolen one, and with all that a browser or a proxy could claim."""

from __future__ import annotations

import hashlib
import json
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
from coral_gate.gate.routes import LOCAL_ISSUER, ROUTES, Guard, Route
from tests.integration.answers import Answer
from tests.integration.daemon import Daemon
from tests.integration.lint import complaints
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
        " X-Goog-IAP-JWT-Assertion X-Amzn-Oidc-Identity X-MS-Client-Principal-Name Cf-Access-Authenticated-User-Email Proxy-User",
        "127.0.0.1": "X-Forwarded-For X-Real-IP X-Client-IP Client-IP True-Client-IP CF-Connecting-IP X-Cluster-Client-IP"
        " X-Originating-IP X-Remote-IP X-Remote-Addr Fastly-Client-IP X-Azure-ClientIP X-Envoy-External-Address X-ProxyUser-IP",
        "/static/portal.css": "X-Original-URL X-Rewrite-URL X-Forwarded-Uri X-Forwarded-Path X-Forwarded-Prefix X-Original-URI",
        "gate.localhost": "X-Forwarded-Host X-Host X-Original-Host X-Forwarded-Server X-HTTP-Host-Override",
        "GET": "X-HTTP-Method-Override X-HTTP-Method X-Method-Override X-Original-Method",
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
        tables = [f'[[sandbox]]\nid = "{name}"\nname = "{name[0]}"\n{app}\n{whose}\n' for name, whose in owned]
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


class WithoutSessionTests(WaysIn):
    """Nobody in particular asks."""

    def judge(self, shown: Shown, visit: bool) -> str:
        """What became of a request; fails where it is not what must."""
        route, status = shown.route, shown.answer.status
        if route is None:
            self.assertEqual(status, 404, str(shown))
            return "nothing"
        method = shown.method.encode()
        if route.guard is Guard.PUBLIC:
            self.assertIs(status == 405, method not in route.methods, str(shown))
            self.assertTrue(200 <= status < 500 or route.name == "portal.sign-in-start", str(shown))
            return "public"
        if visit and method == b"GET":
            where = shown.answer.value(b"location") or b""
            begins = b"/sign-in" if route.side is Side.PORTAL else b"https://%b/handoff?sandbox=" % self.gate.portal.encode()
            self.assertTrue(status == 303 and where.startswith(begins), f"{shown} {where!r}")
        else:
            self.assertEqual((status, shown.answer.value(b"location")), (401, None), str(shown))
        return "refused"

    async def test_every_method(self) -> None:
        """Only the enumerated public set answers anybody; the rest is 401 to a script, and to a visit the way to sign in."""
        await self.in_thread(self._every_method)
        self.assertEqual(await self.origin.take(), [])

    def _every_method(self) -> None:
        met: dict[str, set[str]] = {}
        for fields, visit in (((), False), (VISIT, True)):
            for shown in self.gate.every(*fields):
                met.setdefault(self.judge(shown, visit), set()).add(shown.route.name if shown.route else shown.target)
        self.assertFalse(met["public"] & met["refused"])
        self.assertEqual(met["public"], {route.name for route in ROWS if route.guard is Guard.PUBLIC})
        print("\n      anybody is answered by: " + ", ".join(sorted(met["public"])), end=" ")

    async def test_websockets(self) -> None:
        """No way in opens a WebSocket to anybody, public or not."""

        def work() -> None:
            own, ticket = f"Origin: https://{self.gate.portal}", "Sec-WebSocket-Protocol: coral.v1, coral.ticket.x"
            for fields in (UPGRADE, (*UPGRADE, ticket), (*UPGRADE, own)):
                for shown in self.gate.every(*fields, methods=("GET",)):
                    open_to_all = shown.route is not None and shown.route.guard is Guard.PUBLIC and b"GET" in shown.route.methods
                    wanted = {400, 403} if open_to_all else {401, 403, 404, 405}
                    self.assertIn(shown.answer.status, wanted, str(shown))

        await self.in_thread(work)
        self.assertEqual(await self.origin.take(), [])

    async def test_odd_methods(self) -> None:
        """Methods that are none of ours are refused before anything is looked at."""

        def work() -> None:
            for shown in self.gate.every(methods=("TRACE", "TRACK", "PROPFIND", "get", "DEBUG", "PURGE")):
                self.assertEqual(shown.answer.status, 501, str(shown))

        await self.in_thread(work)

    async def test_spoofed(self) -> None:
        """Nothing that a proxy or an identity service might have written lets anybody in, one by one or all together."""
        self.assertGreaterEqual(len(SPOOFED), 60)

        def work() -> None:
            portal, sandbox = self.gate.portal, self.gate.sandbox()
            for fields in [*[(line,) for line in SPOOFED], SPOOFED, (*SPOOFED[:40], *SPOOFED[:40])]:
                for host, target in ((portal, "/"), (portal, "/sessions"), (sandbox, "/"), (portal, "/admin")):
                    answer = self.gate.ask("GET", host, target, *fields)
                    self.assertEqual(answer.status, 404 if target == "/admin" else 401, (target, fields))
            for shown in self.gate.every(*SPOOFED, methods=("GET", "POST")):
                if shown.route is None or shown.route.name != LOCAL_ISSUER.name:  # which refuses whatever came through a proxy
                    self.judge(shown, visit=False)

        await self.in_thread(work)
        self.assertEqual(await self.origin.take(), [])

    async def test_underscored(self) -> None:
        """Names that some server reads as one of those are refused or mean nothing."""

        def work() -> None:
            for line in UNDERSCORED:
                for host in (self.gate.portal, self.gate.sandbox()):
                    self.assertIn(self.gate.ask("GET", host, "/", line).status, (400, 401), line)

        await self.in_thread(work)

    async def test_post_stays_post(self) -> None:
        """No request but a GET is ever sent elsewhere, whatever it claims to be: a POST never becomes a GET."""

        def work() -> None:
            for shown in self.gate.every(*VISIT, "Content-Length: 0", methods=("POST", "PUT", "DELETE", "PATCH")):
                self.assertIsNone(shown.answer.value(b"location"), str(shown))

        await self.in_thread(work)

    async def test_scripts(self) -> None:
        """A script is told in JSON (RFC 9457): the status, a sentence, and a number to ask about."""

        def work() -> None:
            for host, target in ((self.gate.portal, "/sessions"), (self.gate.sandbox(), "/api/x"), (self.gate.portal, "/nowhere")):
                answer = self.gate.ask("GET", host, target, "Accept: application/json", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty")
                self.assertEqual(answer.value(b"content-type"), b"application/problem+json")
                problem = json.loads(answer.body)
                self.assertEqual(problem["status"], answer.status)
                self.assertTrue(problem["detail"].endswith(".") and problem["request"])

        await self.in_thread(work)


class AnswerTests(WaysIn):
    """What every answer says of itself."""

    async def test_lint(self) -> None:
        """Each answer, to anybody and to somebody, carries the gate's whole word on its origin, and no cookie that is not closed in."""
        await self.in_thread(self._lint)

    def _lint(self) -> None:
        wrong = []
        jars = self.sign_in().cookies
        for fields in ((), VISIT, UPGRADE, SPOOFED[:10], ("Expect: x",), ("A : b",)):
            wrong += [f"{shown}: {said}" for shown in self.gate.every(*fields) for said in complaints(shown.answer, kept=_kept(shown))]
        for host, target, route in self.gate.rows():
            for method in ("GET", "HEAD", "PUT"):
                shown = Shown(method, host, target, route, self.gate.ask(method, host, target, _cookie(jars[host])))
                forwarded = route is not None and route.name == "sandbox.http" and method != "PUT"
                personal = route is not None and route.guard is Guard.SESSION and shown.answer.status == 200
                told = complaints(shown.answer, kept=_kept(shown), forwarded=forwarded, personal=personal)
                wrong += [f"{shown} (signed in): {said}" for said in told]
        self.assertEqual(wrong, [], "\n".join(wrong[:20]))

    async def test_foreign_origins(self) -> None:
        """No origin is allowed to read anything: there is no word of CORS in any answer, whoever asks (Fetch §3.2)."""

        def work() -> None:
            jars = self.sign_in().cookies
            portal = self.gate.portal
            for origin in ("null", "https://evil.example", f"https://{self.gate.sandbox()}", f"https://{portal}.evil.example",
                           f"https://evil.{portal}", f"http://{portal}", f"https://{portal}", "*"):  # fmt: skip
                for host in (portal, self.gate.sandbox()):
                    asking = (_cookie(jars[host]), f"Origin: {origin}", "Access-Control-Request-Method: POST")
                    for method in ("GET", "OPTIONS", "POST"):
                        answer = self.gate.ask(method, host, "/", *asking)
                        self.assertFalse([name for name, _ in answer.fields if name.startswith(b"access-control")])
                        if origin != f"https://{host}":
                            self.assertIn(answer.status, (403, 405))

        await self.in_thread(work)


class SecrecyTests(WaysIn):
    """The gate's cookies stay at the gate."""

    async def test_cookie_shapes(self) -> None:
        """In no shape and no company does a session's cookie reach a sandbox, signed in or not; other cookies do."""
        statuses: list[int] = []
        tokens: list[bytes] = []

        def work() -> None:
            token = self.sign_in().cookies[self.gate.sandbox()]["__Host-coral-sandbox"]
            tokens.append(token.encode())
            for host, extra in ((self.gate.sandbox(OPEN), ""), (self.gate.sandbox(), f"; __Host-coral-sandbox={token}")):
                for shape in _shapes(token):
                    statuses.append(self.gate.ask("GET", host, "/shape", shape[0] + extra, *shape[1:]).status)

        await self.in_thread(work)
        records = await self.origin.take()
        self.assertLessEqual(set(statuses), {200, 400, 401})
        self.assertGreater(statuses.count(200), 60)
        self.assertEqual(len(records), statuses.count(200) + 1)
        for record in records:
            for _, value in record.fields:
                self.assertNotIn(tokens[0], value)
                self.assertNotIn(b"host-coral", value.lower())
        self.assertTrue(any(record.values(b"cookie") == [b"a=1; b=2"] for record in records))

    async def test_nothing_is_written(self) -> None:
        """No token, code, state or binding stands in the daemon's log, its audit log, its database or any other file of its own."""
        seen: set[str] = {"x" * 43}

        def work() -> None:
            browser = self.sign_in()
            for jar in browser.cookies.values():
                seen.update(jar.values())
            browser.visit(f"https://{self.gate.portal}/sign-out", form={})
            for bad in seen:
                self.gate.ask("GET", self.gate.sandbox(), f"/.gate/enter?code={bad}", f"Cookie: __Host-coral-sandbox={bad}")
                self.gate.ask("GET", self.gate.portal, f"/sign-in/callback?code={bad}&state={bad}", f"Cookie: __Host-coral={bad}")

        await self.in_thread(work)
        await self.daemon.stop()
        self.assertGreaterEqual(len(seen), 4)
        written = self.daemon.log.encode() + b"".join(one.read_bytes() for one in self.folder.rglob("*") if one.is_file())
        self.assertIn(b"sign_in.refused", written)
        for token in seen:
            self.assertNotIn(token.encode(), written)


class OracleTests(WaysIn):
    """Refusals tell nothing apart."""

    def same(self, answers: list[Answer], status: int) -> None:
        """All answers are one, but for the request's number and what is random in each."""
        told = {(answer.status, *map(_plain, [*(b"%b: %b" % one for one in answer.fields), bytes(answer.body)])) for answer in answers}
        self.assertEqual(len(told), 1, "\n".join(map(repr, told)))
        self.assertEqual(answers[0].status, status)

    async def test_sessions(self) -> None:
        """No session, a made-up, an ended, another origin's and a doubled one are answered alike, to a script and to a visit."""
        await self.in_thread(self._sessions)

    def _sessions(self) -> None:
        browser = self.sign_in()
        portal, sandbox = self.gate.portal, self.gate.sandbox()
        old = {name: value for jar in browser.cookies.values() for name, value in jar.items()}
        browser.visit(f"https://{portal}/sign-out", form={})
        live = {name: value for jar in self.sign_in().cookies.values() for name, value in jar.items()}
        for host, name, other in ((portal, "__Host-coral", "__Host-coral-sandbox"), (sandbox, "__Host-coral-sandbox", "__Host-coral")):
            values = ["x" * 43, "x", "", old[name], live[other], f"{live[name]}; {name}={live[name]}", f'"{live[name]}"', live[name][:-1]]
            cookies: list[tuple[str, ...]] = [(), *((f"Cookie: {name}={value}",) for value in values), (f"Cookie: {other}={live[other]}",)]
            for more, status in ((("Accept: application/json",), 401), (VISIT, 303)):
                self.same([self.gate.ask("GET", host, "/", *more, *cookie) for cookie in cookies], status)
            self.assertEqual(self.gate.ask("GET", host, "/", f"Cookie: {name}={live[name]}").status, 200)

    async def test_codes(self) -> None:
        """A code that is made up, used, another sandbox's or another browser's leads to the same page, and opens nothing."""
        await self.in_thread(self._codes)

    def _codes(self) -> None:
        cookie = f"Cookie: __Host-coral={self.sign_in().cookies[self.gate.portal]['__Host-coral']}"
        mine, ours = self.gate.sandbox(), "Cookie: __Host-Http-coral-pre=" + "p" * 43
        answers = [self.gate.ask("GET", mine, f"/.gate/enter{query}", *VISIT) for query in ("", "?code=", "?code=" + "x" * 43, "?code=%00")]
        used = self._code(cookie)
        self.assertEqual(self._enter(mine, used, ours).value(b"location"), b"/")
        answers.append(self._enter(mine, used, ours))
        answers.append(self._enter(self.gate.sandbox(SECOND), self._code(cookie), ours))
        answers.append(self._enter(mine, self._code(cookie), ours[:-1] + "q"))
        spent = self._code(cookie)
        answers.append(self._enter(mine, spent))
        answers.append(self._enter(mine, spent, ours))  # wrong once, and it is spent
        self.same(answers, 303)
        self.assertEqual(answers[0].value(b"location"), f"https://{self.gate.portal}/used-up".encode())

    def _code(self, cookie: str) -> str:
        """A fresh code for the owner's sandbox, bound to the browser that holds `ppp...`."""
        binding = hashlib.sha256(b"p" * 43).hexdigest()
        answer = self.gate.ask("GET", self.gate.portal, f"/handoff?sandbox={MINE}&browser={binding}&path=/", *VISIT, cookie)
        return (answer.value(b"location") or b"").rpartition(b"code=")[2].decode()

    def _enter(self, host: str, code: str, *fields: str) -> Answer:
        """A visit to a sandbox's host with a code."""
        return self.gate.ask("GET", host, f"/.gate/enter?code={code}", *VISIT, *fields)

    async def test_sandboxes(self) -> None:
        """Somebody else's sandbox and one that never was are answered alike, at their hosts and at the portal."""

        def work() -> None:
            browser = self.sign_in()
            cookie = f"Cookie: __Host-coral={browser.cookies[self.gate.portal]['__Host-coral']}"
            guest = f"Cookie: __Host-coral-sandbox={browser.cookies[self.gate.sandbox()]['__Host-coral-sandbox']}"
            names, binding = (FOREIGN, UNKNOWN), hashlib.sha256(b"p" * 43).hexdigest()
            handoffs = [f"/handoff?sandbox={name}&browser={binding}&path=/" for name in names]
            self.same([self.gate.ask("GET", self.gate.portal, target, *VISIT, cookie) for target in handoffs], 404)
            for fields, status in (((), 401), ((guest,), 401), (VISIT, 303), ((*VISIT, guest), 303)):
                for target in ("/", "/x"):
                    self.same([self.gate.ask("GET", self.gate.sandbox(name), target, *fields) for name in names], status)

        await self.in_thread(work)
        self.assertEqual([record.target for record in await self.origin.take()], [b"/"])


_ASIDE = re.compile(rb"[0-9a-f]{8}-[0-9a-f]+-[0-9a-f]+|pre=[\w-]{43}|browser=[0-9a-f]{64}|sandbox=[a-z]{26}|^date: .*")


def _plain(text: bytes) -> bytes:
    """Text without numbers of requests, random tokens, dates, and the name that was asked for."""
    return _ASIDE.sub(b"-", text)


def _cookie(jar: dict[str, str]) -> str:
    """A Cookie field."""
    return "Cookie: " + "; ".join(f"{name}={value}" for name, value in jar.items())


def _kept(shown: Shown) -> bool:
    """Whether it is a file of ours, which is everybody's."""
    names = ("portal.static", "portal.favicon", "portal.robots")
    return shown.answer.status in (200, 304) and shown.route is not None and shown.route.name in names


def _shapes(token: str) -> Iterator[tuple[str, ...]]:
    """Cookie fields that hold a token, each a tuple of lines."""
    for name in ("__Host-coral", "__Host-coral-sandbox", "__Host-Http-coral-pre", "__HOST-CORAL", "__host-coral-Sandbox", "__Secure-coral"):
        ours = f"{name}={token}"
        for shape in (ours, f"a=1; {ours}; b=2", f"a=1;{ours};b=2", f"{ours}; a=1; b=2", f"a=1; b=2; {ours}", f"{ours}; {ours}; a=1",
                      f'a=1; {name}="{token}"; b=2', f"$Version=1; {ours}; $Path=/", f"a=1, {ours}; b=2", f"a=1; =x{ours}", f"a={ours}",
                      f"a=1;;{ours};;", f"a=1; \t{ours} ; b=2", f"{name} = {token}", f"{name}%3D{token}; {ours}", f"a=\xff\xfe; {ours}",
                      f"{ours}; a={'x' * 8000}", f"a=1 {ours}"):  # fmt: skip
            yield (f"Cookie: {shape}",)
        yield f"Cookie: a=1; {ours}", f"Cookie: {ours}; b=2"
        yield f"cookie:{ours}", "COOKIE: a=1"
