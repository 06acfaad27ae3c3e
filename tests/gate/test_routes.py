"""The route table and the decision."""

from __future__ import annotations

import itertools
from collections.abc import Coroutine

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.gate.judge import Judge
from coral_gate.gate.origins import Origins, Place, Side, same_origin
from coral_gate.gate.policy import Refusal, decide
from coral_gate.gate.routes import ANY, READS, ROUTES, Guard, Route, RouteTable, is_reserved
from coral_gate.gate.sessions import UNKNOWN
from coral_gate.gate.tombstones import Tombstones
from coral_gate.http1.head import HeadLimits, read_request
from coral_gate.model import Allowed, Asker, ChannelKind, SandboxId
from coral_gate.records import AsGate, Because, Capacity, Sandbox
from coral_gate.visitor import Guest
from tests.gate.stage import START, Stage, memory_sessions, no_tombstones, now

ORIGINS = Origins("gate.localhost:8443", "sbx.localhost:8443")
SANDBOX = SandboxId("a" * 26)
AUTHORITY = b"a" * 26 + b".sbx.localhost:8443"


class TableTests(SynchronousTestCase):
    """The table is data that keeps to its own rules."""

    def test_public_set(self) -> None:
        """What anybody may reach is exactly this."""
        public = sorted(f"{route.side.value} {route.path.decode()}" for route in ROUTES if route.guard is Guard.PUBLIC)
        self.assertEqual(
            public,
            [
                "portal /favicon.ico",
                "portal /livez",
                "portal /readyz",
                "portal /robots.txt",
                "portal /sign-in",
                "portal /sign-in/callback",
                "portal /sign-in/start",
                "portal /signed-out",
                "portal /static/",
                "portal /used-up",
                "sandbox /.gate/bye",
                "sandbox /.gate/enter",
                "sandbox /.gate/tickets.js",
            ],
        )

    def test_rows(self) -> None:
        """Each row has a name of its own, a guard and known methods; what anybody may reach changes nothing."""
        self.assertEqual(len({route.name for route in ROUTES}), len(ROUTES))
        for route in ROUTES:
            self.assertIsInstance(route.guard, Guard)
            self.assertLessEqual(route.methods, ANY)
            if route.guard is Guard.PUBLIC and route.name != "portal.sign-in-start":
                self.assertLessEqual(route.methods, READS)
                self.assertEqual(route.body_bytes, 0)

    def test_overlap_refused(self) -> None:
        """Two rows for one path, and a subtree that would match a longer name, cannot be built."""
        self.assertRaises(ValueError, RouteTable, (ROUTES[0], ROUTES[0]))
        row = Route("x", Side.PORTAL, b"/x", READS, ChannelKind.PORTAL, Guard.PUBLIC, subtree=True)
        self.assertRaises(ValueError, RouteTable, (row,))

    def test_find(self) -> None:
        """Exact paths before subtrees, the longest subtree first, and nothing by a prefix of a segment."""
        table = RouteTable()
        for side, path, name in (
            (Side.PORTAL, b"/", "portal.home"),
            (Side.PORTAL, b"/static/a.css", "portal.static"),
            (Side.PORTAL, b"/static", None),
            (Side.PORTAL, b"/staticx", None),
            (Side.PORTAL, b"/Static/", None),
            (Side.PORTAL, b"//", None),
            (Side.SANDBOX, b"/", "sandbox.http"),
            (Side.SANDBOX, b"/any/thing", "sandbox.http"),
            (Side.SANDBOX, b"/.gate/cb", None),
            (Side.SANDBOX, b"/.gateway", None),
        ):
            route = table.find(side, path)
            self.assertEqual(route.name if route else None, name, path)

    def test_reserved(self) -> None:
        """The gate's own paths are reserved in any spelling, and no other path is."""
        for path in (b"/.gate", b"/.gate/", b"/.GATE/x", b"/%2egate/x", b"/.%67ate", b"/%2E%47%41te/x", b"/.gate;x/y", b"/.gate%3bx"):
            self.assertTrue(is_reserved(path), path)
        for path in (b"/", b"/gate", b"/x/.gate", b"/%41", b"/.well-known/x", b"/.gat"):
            self.assertFalse(is_reserved(path), path)


class OriginTests(SynchronousTestCase):
    """Hosts and pages."""

    def test_places(self) -> None:
        """The portal's authority and any well-formed sandbox id below the site, exactly."""
        self.assertEqual(ORIGINS.place(b"gate.localhost:8443"), Place(Side.PORTAL, b"gate.localhost:8443"))
        self.assertEqual(ORIGINS.place(AUTHORITY), Place(Side.SANDBOX, AUTHORITY, SANDBOX))
        for host in (b"gate.localhost", b"gate.localhost:443", b"x.gate.localhost:8443", b"a" * 25 + b".sbx.localhost:8443",
                     b"1" * 26 + b".sbx.localhost:8443",
                     b"a" * 27 + b".sbx.localhost:8443", b"x." + AUTHORITY, AUTHORITY + b".", AUTHORITY[:-5], b"sbx.localhost:8443", b"",
                     b"a" * 26):  # fmt: skip
            self.assertIsNone(ORIGINS.place(host), host)

    def test_names(self) -> None:
        """TLS names are the portal's and those of sandboxes."""
        self.assertTrue(ORIGINS.names(b"gate.localhost") and ORIGINS.names(b"a" * 26 + b".sbx.localhost"))
        self.assertFalse(ORIGINS.names(b"evil.localhost") or ORIGINS.names(b"sbx.localhost"))

    def test_every_combination(self) -> None:
        """
        Of all combinations of Origin, Sec-Fetch-Site, -Mode, -Dest and method, these alone pass: the same origin's own requests,
        and top-level visits by GET or HEAD.
        """
        place = Place(Side.SANDBOX, AUTHORITY, SANDBOX)
        ours = b"https://" + AUTHORITY
        origins = [None, ours, b"null", b"https://evil.example", b"http://" + AUTHORITY, ours.upper(), ours + b".evil", ours[:-5], b""]
        sites = [None, b"same-origin", b"same-site", b"cross-site", b"none", b"Same-Origin", b""]
        modes = [None, b"navigate", b"cors", b"no-cors", b"websocket"]
        dests = [None, b"document", b"iframe", b"empty", b"script", b"object"]
        for origin, site, mode, dest, method in itertools.product(origins, sites, modes, dests, sorted(ANY)):
            read = {
                name: value
                for name, value in ((b"origin", origin), (b"sec-fetch-site", site), (b"sec-fetch-mode", mode), (b"sec-fetch-dest", dest))
                if value is not None
            }
            visit = (
                method in (b"GET", b"HEAD")
                and origin is None
                and (site == b"none" or (site not in (None, b"same-origin") and (mode, dest) == (b"navigate", b"document")))
            )
            own = origin in (None, ours) and site == b"same-origin"
            plain = site is None and (origin == ours or (origin is None and method in (b"GET", b"HEAD", b"OPTIONS")))
            self.assertIs(same_origin(place, method, read), visit or own or plain, (method, read))


class DecisionTests(SynchronousTestCase):
    """The decision, and the judge that asks for it."""

    def setUp(self) -> None:
        self.tombstones = no_tombstones()

    def test_order(self) -> None:
        """Nobody learns from a refusal what only somebody signed in may know."""
        route = Route("x", Side.SANDBOX, b"/", READS, ChannelKind.HTTP, Guard.SANDBOX)
        self.assertIs(decide(None, b"GET", True, True), Refusal.NO_ROUTE)
        self.assertIs(decide(route, b"POST", False, False), Refusal.SIGN_IN)
        self.assertIs(decide(route, b"POST", False, True), Refusal.METHOD)
        self.assertIs(decide(route, b"GET", False, True), Refusal.CROSS_SITE)
        self.assertIsNone(decide(route, b"GET", True, True))

    def judge(
        self,
        first: bytes,
        *fields: bytes,
        host: bytes = AUTHORITY,
        server_name: bytes | None = None,
        channels: frozenset[ChannelKind] = frozenset(ChannelKind),
    ) -> object:
        """What a judge says of a head."""
        block = b"\r\n".join([first + b" HTTP/1.1", b"Host: " + host, *fields])
        judge = Judge(ORIGINS, RouteTable(), memory_sessions(), self.tombstones, channels, frozenset({SANDBOX}))
        decision = judge.judge(read_request(block, HeadLimits()), server_name, Asker(1, "192.0.2.1"))
        return now(decision) if isinstance(decision, Coroutine) else decision

    def test_gone(self) -> None:
        """The host of a destroyed sandbox says so, to a visit as to a script; that of one that never was asks to sign in."""
        stage = Stage()
        owner = stage.person()
        sandbox = Sandbox(SandboxId("b" * 26), owner.id, "Old", "static", "ready", START)
        now(stage.stores.sandboxes.put(AsGate(Capacity.SANDBOXES), sandbox))
        self.tombstones = Tombstones(stage.stores.sandboxes, stage.clock.seconds)
        host = b"b" * 26 + AUTHORITY[26:]
        self.assertIs(self.judge(b"GET /", host=host), Refusal.SIGN_IN)
        now(stage.stores.sandboxes.tombstone(AsGate(Capacity.SANDBOXES), sandbox.id, Because("over", START)))
        self.assertIs(self.judge(b"GET /", host=host), Refusal.SIGN_IN, "an answer is kept for a minute")
        stage.clock.advance(61)
        for first, field in ((b"GET /", b"Accept: text/html"), (b"POST /", b"Origin: null"), (b"GET /sw.js", b"Service-Worker: script")):
            self.assertIs(self.judge(first, field, host=host), Refusal.GONE)
        self.assertIs(self.judge(b"GET /", host=b"c" * 26 + AUTHORITY[26:]), Refusal.SIGN_IN)

    def test_locked(self) -> None:
        """
        Every request of a guest to a locked sandbox is refused, from memory as from the store, in words that say nothing of why;
        to anybody else it is as it always was, and afterwards to the guest too.
        """
        stage, why = Stage(), "Under investigation"
        owner = stage.person()
        row = Sandbox(SandboxId("b" * 26), owner.id, "Mine", "static", "ready", START)
        now(stage.stores.sandboxes.put(AsGate(Capacity.SANDBOXES), row))
        host = b"b" * 26 + AUTHORITY[26:]
        cookie = b"Cookie: __Host-coral-sandbox=" + stage.enter(stage.sign_in(owner)[1], row.id)
        judge = Judge(ORIGINS, RouteTable(), stage.sessions, self.tombstones, frozenset(ChannelKind), frozenset(), lambda sandbox: True)

        def ask(first: bytes, *fields: bytes) -> object:
            head = read_request(b"\r\n".join([first + b" HTTP/1.1", b"Host: " + host, *fields]), HeadLimits())
            decision = judge.judge(head, None, Asker(1, "192.0.2.1"))
            return now(decision) if isinstance(decision, Coroutine) else decision

        own = b"Origin: https://" + host
        requests: list[tuple[bytes, ...]] = [
            (b"GET /", b"Accept: text/html"), (b"GET /assets/x.js",), (b"POST /x", own), (b"POST /.gate/ticket", own),
            (b"GET /", own, b"Upgrade: websocket"), (b"DELETE /", b"Origin: null"),
        ]  # fmt: skip
        now(stage.upkeep.follow())
        before = [type(ask(*request, cookie)) for request in requests]
        self.assertIn(Allowed, before)
        for _ in range(2):
            now(stage.stores.sandboxes.lock(AsGate(Capacity.OPERATOR), row.id, why, Because("operator", START)))
            now(stage.upkeep.follow())
            for request in requests * 2:
                self.assertIs(ask(*request, cookie), Refusal.LOCKED, request)
            self.assertIs(ask(b"GET /"), Refusal.SIGN_IN)
            now(stage.stores.sandboxes.lock(AsGate(Capacity.OPERATOR), row.id, None, Because("operator", START)))
            now(stage.upkeep.follow())
            self.assertEqual([type(ask(*request, cookie)) for request in requests], before)
        self.assertEqual((Refusal.LOCKED.status, Refusal.LOCKED.word), (403, "sandbox-locked"))
        self.assertNotIn(why, Refusal.LOCKED.sentence)

    def test_locked_while_asked(self) -> None:
        """A lock that comes while the store is being asked is seen: no answer from before it is kept."""
        stage = Stage()
        owner = stage.person()
        row = Sandbox(SANDBOX, owner.id, "Mine", "static", "ready", START)
        now(stage.stores.sandboxes.put(AsGate(Capacity.SANDBOXES), row))
        token = stage.enter(stage.sign_in(owner)[1])
        now(stage.upkeep.follow())
        store, waiting = stage.sessions.sandboxes, [Deferred[None](), Deferred[None]()]

        class Slow:
            held = list(waiting)

            async def find(self, *asked: object) -> object:
                found = await store.find(*asked)  # type: ignore[arg-type]  # what was asked
                await self.held.pop(0)
                return found

        stage.sessions.sandboxes = Slow()  # type: ignore[assignment]  # no more is asked of it here
        asking = Deferred.fromCoroutine(stage.sessions.find_guest(token))
        now(store.lock(AsGate(Capacity.OPERATOR), SANDBOX, "Too loud.", Because("operator", START)))
        now(stage.upkeep.follow())
        waiting[0].callback(None)
        self.assertIs(stage.sessions.cached_guest(token), UNKNOWN, "while it is asked again")
        waiting[1].callback(None)
        found = self.successResultOf(asking)
        cached = stage.sessions.cached_guest(token)
        for guest in (found, cached):
            assert isinstance(guest, Guest)
            self.assertIsNotNone(guest.closing)

    def test_gone_to_a_guest(self) -> None:
        """A guest of a sandbox that is destroyed reads that it is gone."""
        stage = Stage()
        owner = stage.person()
        row = Sandbox(SANDBOX, owner.id, "Mine", "static", "ready", START)
        now(stage.stores.sandboxes.put(AsGate(Capacity.SANDBOXES), row))
        token = stage.enter(stage.sign_in(owner)[1])
        now(stage.stores.sandboxes.tombstone(AsGate(Capacity.SANDBOXES), SANDBOX, Because("over", START)))
        judge = Judge(ORIGINS, RouteTable(), stage.sessions, self.tombstones, frozenset(ChannelKind), frozenset())
        block = b"\r\n".join([b"GET / HTTP/1.1", b"Host: " + AUTHORITY, b"Cookie: __Host-coral-sandbox=" + token])
        decision = judge.judge(read_request(block, HeadLimits()), None, Asker(1, "192.0.2.1"))
        assert isinstance(decision, Coroutine)
        self.assertIs(now(decision), Refusal.GONE)

    def test_allowed(self) -> None:
        """An allowed request knows its route, channel, sandbox and the authority in our own writing."""
        allowed = self.judge(b"GET /x", host=AUTHORITY.upper())
        assert isinstance(allowed, Allowed)
        self.assertEqual(
            (allowed.route, allowed.channel, allowed.sandbox, allowed.authority), ("sandbox.http", ChannelKind.HTTP, SANDBOX, AUTHORITY)
        )

    def test_websocket(self) -> None:
        """A WebSocket is opened by a page of the same origin that belongs to somebody who is signed in, at an exact path."""
        own, upgrade = b"Origin: https://" + AUTHORITY, b"Upgrade: websocket"
        self.assertIs(self.judge(b"GET /", upgrade, own), Refusal.UPGRADE, "a sandbox open to anybody: nobody is known")
        other = b"b" * 26 + AUTHORITY[26:]
        others = b"Origin: https://" + other
        self.assertIs(self.judge(b"GET /", upgrade, others, b"Accept: text/html", host=other), Refusal.SIGN_IN, "never a redirect")
        for field in (b"Origin: null", b"Origin: https://gate.localhost:8443", b"Origin: http://" + AUTHORITY, b"X-Nothing: 1", others):
            self.assertIs(self.judge(b"GET /", upgrade, field), Refusal.CROSS_SITE, field)
        self.assertIs(self.judge(b"GET /", upgrade, own, b"Sec-Fetch-Site: same-site"), Refusal.CROSS_SITE)
        self.assertIs(self.judge(b"POST /", upgrade, own), Refusal.METHOD)
        for path in (b"/x", b"/index.html", b"/?x", b"/.gate/ticket", b"/assets/x.js"):
            refused = self.judge(b"GET " + path, upgrade, own)
            self.assertIn(refused, (Refusal.UPGRADE, Refusal.NO_ROUTE, Refusal.SIGN_IN, Refusal.METHOD), path)

    def test_websocket_of_a_guest(self) -> None:
        """The same with a session at the sandbox: the control channel."""
        stage = Stage()
        owner = stage.person()
        stage.owned.add((owner.who, SANDBOX))
        _, visitor = stage.sign_in(owner)
        token = stage.enter(visitor)
        cookie = b"Cookie: __Host-coral-sandbox=" + token
        head = b"\r\n".join([b"GET / HTTP/1.1", b"Host: " + AUTHORITY, b"Upgrade: websocket", cookie, b"Origin: https://" + AUTHORITY])
        speaking: list[SandboxId] = []

        def judged() -> object:
            judge = Judge(
                ORIGINS, RouteTable(), stage.sessions, self.tombstones, frozenset(ChannelKind), frozenset(), lambda one: one in speaking
            )
            decision = judge.judge(read_request(head, HeadLimits()), None, Asker(1, "192.0.2.1"))
            return now(decision) if isinstance(decision, Coroutine) else decision

        self.assertIs(judged(), Refusal.UPGRADE, "a sandbox that speaks something else")
        speaking.append(SANDBOX)
        allowed = judged()
        assert isinstance(allowed, Allowed), allowed
        self.assertEqual((allowed.channel, allowed.route, allowed.sandbox), (ChannelKind.CONTROL, "sandbox.control", SANDBOX))
        assert allowed.visitor is not None
        self.assertEqual(allowed.visitor.who, owner.who)

    def test_quiet(self) -> None:
        """What a page asks for by itself, again and again, does not keep a session: it runs idle all the same."""
        stage = Stage()
        token, _ = stage.sign_in(stage.person())
        judge = Judge(ORIGINS, RouteTable(), stage.sessions, self.tombstones, frozenset(ChannelKind), frozenset())

        def ask(path: bytes) -> object:
            head = b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: gate.localhost:8443", b"Cookie: __Host-coral=" + token])
            decision = judge.judge(read_request(head, HeadLimits()), None, Asker(1, "192.0.2.1"))
            return now(decision) if isinstance(decision, Coroutine) else decision

        asked = 0
        while isinstance(ask(b"/live"), Allowed):
            asked += 1
            stage.pass_time(4)
        self.assertEqual(asked, stage.config.idle_s / 4)
        self.assertIs(ask(b"/"), Refusal.SIGN_IN)

    def test_refused(self) -> None:
        """Each refusal."""
        self.assertIs(self.judge(b"GET /", host=b"evil.example"), Refusal.NOT_OURS)
        self.assertIs(self.judge(b"GET /", host=b"b" * 26 + AUTHORITY[26:]), Refusal.SIGN_IN)
        self.assertIs(self.judge(b"GET /", channels=frozenset({ChannelKind.PORTAL})), Refusal.CHANNEL)
        self.assertIs(self.judge(b"GET /x", b"Upgrade: websocket"), Refusal.UPGRADE)
        self.assertIs(self.judge(b"GET /x", b"Upgrade: h2c, WebSocket"), Refusal.UPGRADE)
        self.assertIs(self.judge(b"POST /", b"Origin: null"), Refusal.CROSS_SITE)
        self.assertIs(self.judge(b"POST /sign-in", host=b"gate.localhost:8443"), Refusal.METHOD)

    def test_workers(self) -> None:
        """One script alone may become a service worker, on sandbox origins alone; as a script any other is served."""
        dest = (b"Sec-Fetch-Dest: serviceworker", b"Sec-Fetch-Site: same-origin", b"Sec-Fetch-Mode: same-origin")
        self.assertIsInstance(self.judge(b"GET /sw.js?v=1", *dest), Allowed)
        for path in (b"/", b"/sw.js/", b"/a/sw.js", b"/SW.js", b"/%73w.js", b"/share/x.js"):
            self.assertIs(self.judge(b"GET " + path, *dest), Refusal.WORKER, path)
            self.assertIsInstance(self.judge(b"GET " + path, b"Sec-Fetch-Dest: script", *dest[1:]), Allowed)
        self.assertIs(self.judge(b"GET /.gate/sw.js", *dest), Refusal.NO_ROUTE)
        self.assertIs(self.judge(b"GET /static/portal.css", *dest, host=b"gate.localhost:8443"), Refusal.WORKER)

    def test_server_name(self) -> None:
        """A connection that was opened for one name serves no other (RFC 9110 §15.5.20)."""
        name = b"a" * 26 + b".sbx.localhost"
        self.assertIsInstance(self.judge(b"GET /", server_name=name), Allowed)
        self.assertIs(self.judge(b"GET /", server_name=b"gate.localhost"), Refusal.NOT_OURS)
        self.assertIs(self.judge(b"GET /", host=b"gate.localhost:8443", server_name=name), Refusal.NOT_OURS)

    @given(st.text("?/=&.%static2fgh:", max_size=30))
    def test_query_decides_nothing(self, query: str) -> None:
        """Whatever the query says, the decision is that of the path."""
        for path in (b"/private", b"/"):
            try:
                decision = self.judge(b"GET " + path + b"?" + query.encode(), host=b"gate.localhost:8443")
            except Exception as e:
                self.assertEqual(type(e).__name__, "RefusedRequest")
                continue
            plain = self.judge(b"GET " + path, host=b"gate.localhost:8443")
            self.assertEqual(getattr(decision, "route", decision), getattr(plain, "route", plain))

    def test_no_other_header_lets_in(self) -> None:
        """No field that a proxy or an identity service might write lets anybody in."""
        names = (b"X-Forwarded-User X-Forwarded-Email X-Forwarded-Uri X-Forwarded-Host X-Original-URL X-Rewrite-URL X-Auth-Request-User"
                 b" Remote-User X-Remote-User"
                 b" X-User X-Real-IP Forwarded X-Coral-User Authorization Proxy-Authorization Cookie X-Webauth-User Tailscale-User-Login"
                 b" X-Goog-IAP-JWT-Assertion"
                 b" User-Agent X-HTTP-Method-Override Via True-Client-IP CF-Access-Jwt-Assertion X-Openclaw-Scopes").split()  # fmt: skip
        for name in names:
            for value in (b"admin", b"kube-probe/1.0", b"127.0.0.1", b"/static/x", b"GET"):
                self.assertIs(self.judge(b"GET /", name + b": " + value, host=b"b" * 26 + AUTHORITY[26:]), Refusal.SIGN_IN, name)
