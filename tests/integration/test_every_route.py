"""Every way in, asked of the running daemon as nobody, as somebody, and as whatever a browser or a proxy could claim."""

from __future__ import annotations

import json

from coral_gate.gate.origins import Side
from coral_gate.gate.routes import LOCAL_ISSUER, Guard
from coral_gate.model import ChannelKind
from tests.integration.lint import complaints
from tests.integration.ways_in import ROWS, SPOOFED, UNDERSCORED, UPGRADE, VISIT, Shown, WaysIn, cookie_field


class EveryRouteTests(WaysIn):
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

    async def test_stranger(self) -> None:
        """Only the enumerated public set answers anybody; the rest is 401 to a script, and to a visit the way to sign in."""
        await self.in_thread(self._stranger)
        self.assertEqual(await self.origin.take(), [])

    def _stranger(self) -> None:
        met: dict[str, set[str]] = {}
        for fields, visit in (((), False), (VISIT, True)):
            for shown in self.gate.every(*fields):
                met.setdefault(self.judge(shown, visit), set()).add(shown.route.name if shown.route else shown.target)
        self.assertFalse(met["public"] & met["refused"])
        self.assertEqual(met["public"], {route.name for route in ROWS if route.guard is Guard.PUBLIC})
        print("\n      anybody is answered by: " + ", ".join(sorted(met["public"])), end=" ")

    def judge_upgrade(self, shown: Shown) -> None:
        """Fails where a WebSocket opens, or where the answer tells more than a plain request's."""
        public = shown.route is not None and shown.route.guard is Guard.PUBLIC and b"GET" in shown.route.methods
        self.assertIn(shown.answer.status, {400, 403} if public else {401, 403, 404, 405}, str(shown))

    async def test_websockets(self) -> None:
        """No way in opens a WebSocket to anybody, public or not."""

        def work() -> None:
            own, ticket = f"Origin: https://{self.gate.portal}", "Sec-WebSocket-Protocol: coral.v1, coral.ticket.x"
            for fields in (UPGRADE, (*UPGRADE, ticket), (*UPGRADE, own)):
                for shown in self.gate.every(*fields, methods=("GET",)):
                    self.judge_upgrade(shown)

        await self.in_thread(work)
        self.assertEqual(await self.origin.take(), [])

    async def test_odd_methods(self) -> None:
        """Methods that are none of ours are refused before anything is looked at."""

        def work() -> None:
            for shown in self.gate.every(methods=("TRACE", "TRACK", "PROPFIND", "get", "DEBUG", "PURGE")):
                self.assertEqual(shown.answer.status, 501, str(shown))

        await self.in_thread(work)

    async def test_spoofed(self) -> None:
        """
        Nothing that a proxy or an identity service might have written lets anybody in anywhere, by a GET or as a WebSocket, one by
        one or all together.
        """
        self.assertGreaterEqual(len({line.partition(":")[0].lower() for line in SPOOFED}), 60)
        await self.in_thread(self._spoofed)
        self.assertEqual(await self.origin.take(), [])

    def _spoofed(self) -> None:
        for fields in (*((line,) for line in SPOOFED), SPOOFED, (*SPOOFED[:40], *SPOOFED[:40])):
            for shown in self.gate.every(*fields, methods=("GET",)):
                if shown.route is None or shown.route.name != LOCAL_ISSUER.name:  # which refuses whatever came through a proxy
                    self.judge(shown, visit=False)
            for shown in self.gate.every(*fields, *UPGRADE, methods=("GET",)):
                self.judge_upgrade(shown)

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
                shown = Shown(method, host, target, route, self.gate.ask(method, host, target, cookie_field(jars[host])))
                forwarded = route is not None and route.channel in (ChannelKind.HTTP, ChannelKind.CONTROL) and method != "PUT"
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
                    asking = (cookie_field(jars[host]), f"Origin: {origin}", "Access-Control-Request-Method: POST")
                    for method in ("GET", "OPTIONS", "POST"):
                        answer = self.gate.ask(method, host, "/", *asking)
                        self.assertFalse([name for name, _ in answer.fields if name.startswith(b"access-control")])
                        if origin != f"https://{host}":
                            self.assertIn(answer.status, (403, 405))

        await self.in_thread(work)


def _kept(shown: Shown) -> bool:
    """Whether it is a file of ours, which is everybody's."""
    names = ("portal.static", "portal.favicon", "portal.robots", "sandbox.tickets-script")
    return shown.answer.status in (200, 304) and shown.route is not None and shown.route.name in names
