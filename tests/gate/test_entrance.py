"""Signing in and out, around an issuer that a test plays."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta
from typing import cast
from urllib.parse import parse_qs, urljoin, urlsplit

from attrs import define, evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from coral_gate.audit.sinks import RefusingSink
from coral_gate.errors import AuditUnavailable, SignInRefused
from coral_gate.gate.entrance import Entrance, SentAway
from coral_gate.gate.handoff import safe_path
from coral_gate.gate.tokens import BROWSER_COOKIE, PORTAL_COOKIE, cookie_token, digest_of, new_token
from coral_gate.identity.attempts import MemorySignInAttempts
from coral_gate.interfaces import IIdentityProvider
from coral_gate.model import Identity, SandboxId, Secret, SignInAttempt, SignInStart, UserId
from coral_gate.records import AsGate, Because, Capacity
from coral_gate.visitor import Visitor
from tests.gate.stage import OTHER, SANDBOX, START, Stage, now

PORTAL = "https://gate.localhost:8443"
ALICE = UserId("https://issuer.example", "alice")


@implementer(IIdentityProvider)
@define
class TestIssuer:
    """
    Vouches for whoever the test says.

    :ivar refusing: what it raises instead.
    """

    person: Identity
    refusing: SignInRefused | None = None
    count: int = 0

    async def begin(
        self, redirect_uri: str, browser_digest: bytes, return_to: str = "/", max_age_s: int | None = None, prompt: str | None = None
    ) -> SignInStart:
        """A state that counts up."""
        self.count += 1
        state = f"state-{self.count}"
        digest, expires = digest_of(state.encode()), START + timedelta(days=1)
        attempt = SignInAttempt("i", digest, browser_digest, "n", Secret(b"v"), redirect_uri, return_to, max_age_s, START, expires)
        return SignInStart(f"https://issuer.example/authorize?state={state}", attempt)

    async def finish(self, attempt: SignInAttempt, callback_query: bytes, browser_digest: bytes) -> Identity:
        """As a real client, it compares the browsers."""
        if self.refusing is not None:
            raise self.refusing
        if browser_digest != attempt.browser_digest:
            raise SignInRefused("browser.other")
        return self.person


class EntranceTests(SynchronousTestCase):
    """One browser and the portal."""

    def setUp(self) -> None:
        self.stage = Stage()
        self.issuer = TestIssuer(Identity(ALICE, "alice@example.com", None, "Alice"))
        self.entrance = Entrance(
            provider=self.issuer,
            attempts=MemorySignInAttempts(lambda: START),
            users=self.stage.stores.users,
            sessions=self.stage.sessions,
            handoffs=self.stage.handoffs,
            audit=self.stage.audit,
            portal=PORTAL,
            sandbox_origin=lambda sandbox: f"https://{sandbox}.sbx.localhost:8443",
            farewell_key=b"k" * 32,
            now=lambda: self.stage.time,
        )

    def go(self, waiting: Awaitable[SentAway]) -> SentAway:
        """Where a browser is sent."""
        return cast(SentAway, now(waiting))

    def begin(self, return_to: bytes = b"/") -> tuple[str, bytes]:
        """The state and the cookie of a sign-in that has begun."""
        sent = self.go(self.entrance.begin(None, return_to))
        return parse_qs(urlsplit(sent.location).query)["state"][0], sent.cookies[0].partition(b";")[0]

    def finish(self, state: str, cookie: bytes | None) -> SentAway:
        """The browser comes back."""
        return self.go(self.entrance.finish(b"code=c&state=" + state.encode(), cookie, "Browser/1.0", "192.0.2.1"))

    def session(self, sent: SentAway) -> Visitor | None:
        """The session that a browser was given."""
        token = cookie_token(sent.cookies[0].partition(b";")[0], PORTAL_COOKIE)
        assert token is not None
        return self.stage.find(token)

    def refused(self, state: str, cookie: bytes | None, reason: str) -> None:
        """Nobody is signed in, there is no session, and the audit log says why."""
        self.assertRaises(SignInRefused, self.finish, state, cookie)
        self.stage.audit.flush()
        self.assertEqual(cast("SignInRefused", self.stage.audit.events[-1]).reason, reason)
        self.assertNotIn("session.opened", self.stage.audit.types())

    def test_in(self) -> None:
        """Whoever the issuer vouches for gets a session, recorded, and goes where they wanted to go."""
        state, cookie = self.begin(b"/sessions?x=1")
        sent = self.finish(state, cookie)
        self.assertEqual(sent.location, "/sessions?x=1")
        visitor = self.session(sent)
        assert visitor is not None
        self.assertEqual((visitor.who, visitor.name), (ALICE, "Alice"))
        self.assertIn("session.opened", self.stage.audit.types())
        self.assertNotIn("state", repr(sent))

    def test_second_time(self) -> None:
        """The same person is the same user, whatever their address has become; another issuer's same subject is another."""
        users = []
        for person in (
            self.issuer.person,
            evolve(self.issuer.person, email="new@example.com"),
            Identity(UserId("https://other.example", "alice")),
        ):
            self.issuer.person = person
            visitor = self.session(self.finish(*self.begin()))
            assert visitor is not None
            users.append(visitor.user)
        self.assertEqual((users[0] == users[1], users[0] == users[2]), (True, False))

    def test_one_state_once(self) -> None:
        """A state that was never given, or was used, signs nobody in; one that was refused is spent."""
        self.refused("state-9", None, "state.unknown")
        state, cookie = self.begin()
        self.refused(state, BROWSER_COOKIE + b"=" + b"x" * 43, "browser.other")
        self.refused(state, cookie, "state.unknown")

    def test_attackers_code(self) -> None:
        """An attacker's state and code in a victim's browser sign nobody in: the victim's browser did not begin it."""
        state, _ = self.begin()
        _, victims_cookie = self.begin()
        self.refused(state, victims_cookie, "browser.other")
        self.refused(self.begin()[0], None, "browser.other")

    def test_two_tabs(self) -> None:
        """Two tabs that sign in at once share the browser's cookie, and both come in."""
        sent = self.go(self.entrance.begin(None, b"/a"))
        cookie = sent.cookies[0].partition(b";")[0]
        self.go(self.entrance.begin(cookie, b"/b"))
        self.assertEqual([self.finish(f"state-{number}", cookie).location for number in (2, 1)], ["/b", "/a"])

    def test_fixation(self) -> None:
        """A session cookie that was there before is not taken over: the sign-in gives a new token, and the old session ends."""
        first = self.finish(*self.begin())
        planted = first.cookies[0].partition(b";")[0]
        old = self.session(first)
        state, cookie = self.begin()
        second = self.finish(state, cookie + b"; " + planted)
        self.assertNotEqual(second.cookies[0].partition(b";")[0], planted)
        assert old is not None
        self.assertTrue(old.over)
        self.assertIsNone(self.session(first))
        self.assertIsNotNone(self.session(second))

    def test_made_up_cookie(self) -> None:
        """A session cookie that somebody made up is never given a session."""
        made_up = PORTAL_COOKIE + b"=" + new_token().reveal()
        state, cookie = self.begin()
        sent = self.finish(state, cookie + b"; " + made_up)
        self.assertNotIn(made_up.partition(b"=")[2], sent.cookies[0])

    def test_disabled(self) -> None:
        """Somebody who is disabled is refused by name."""
        user = self.stage.person("alice")
        now(self.stage.stores.users.set_disabled(AsGate(Capacity.OPERATOR), user.id, True, Because("left", START)))
        state, cookie = self.begin()
        self.refused(state, cookie, "user.disabled")
        self.assertEqual(self.stage.audit.events[-1].who, ALICE)

    def test_not_recorded(self) -> None:
        """Where it cannot be recorded, nobody is signed in."""
        state, cookie = self.begin()
        self.stage.sessions.audit = RefusingSink()
        self.assertRaises(AuditUnavailable, self.finish, state, cookie)

    def test_malformed(self) -> None:
        """A callback without a state, or with two, is refused."""
        for query in (b"", b"code=x", b"state=a&state=b", b"state=%zz", b"state=" + b"x" * 10_000):
            self.assertRaises(SignInRefused, now, self.entrance.finish(query, None, "", "192.0.2.1"))

    def test_out(self) -> None:
        """Signing out ends the session and leads through each sandbox origin that was opened, and through no other."""
        visitor = self.session(self.finish(*self.begin()))
        assert visitor is not None
        for sandbox in (SANDBOX, OTHER):
            self.stage.owned.add((ALICE, sandbox))
            browser = new_token().reveal()
            sent = cast(SentAway, now(self.entrance.hand_off(visitor, sandbox, digest_of(browser).hex(), b"/p", "")))
            code = parse_qs(urlsplit(sent.location).query)["code"][0].encode()
            self.assertIsNotNone(now(self.entrance.enter(code, sandbox, BROWSER_COOKIE + b"=" + browser, "")))
        sent = self.go(self.entrance.sign_out(visitor, ""))
        self.assertTrue(visitor.over)
        stops = []
        while not sent.location.startswith(PORTAL):
            url = urlsplit(sent.location)
            stops.append(url.netloc.partition(".")[0])
            query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
            following = self.entrance.farewell(SandboxId(stops[-1]), query["rest"], query["until"], query["proof"])
            assert following is not None
            self.assertIsNone(self.entrance.farewell(SandboxId("c" * 26), query["rest"], query["until"], query["proof"]))
            self.assertIsNone(self.entrance.farewell(SandboxId(stops[-1]), "", str(int(query["until"]) + 1), query["proof"]))
            self.assertIsNone(self.entrance.farewell(SandboxId(stops[-1]), query["rest"] + ".evil", query["until"], query["proof"]))
            sent = following
        self.assertEqual((sorted(stops), sent.location), (sorted([SANDBOX, OTHER]), PORTAL + "/signed-out"))

    def test_farewell_ends(self) -> None:
        """The way out is open for two minutes."""
        sent = SentAway(self.entrance._farewell([SANDBOX], int(self.stage.time) + 120))
        query = {name: values[0] for name, values in parse_qs(urlsplit(sent.location).query, keep_blank_values=True).items()}
        ask = (SANDBOX, query.get("rest", ""), query["until"], query["proof"])
        self.assertIsNotNone(self.entrance.farewell(*ask))
        self.stage.pass_time(121)
        self.assertIsNone(self.entrance.farewell(*ask))
        for until, proof in (("", ""), ("x", "y"), ("٣", query["proof"]), ("9" * 20, query["proof"]), (query["until"], "é")):
            self.assertIsNone(self.entrance.farewell(SANDBOX, "", until, proof))


class PathTests(SynchronousTestCase):
    """Where a browser may be sent afterwards."""

    def test_kept(self) -> None:
        """A path of the same origin stays, with its query."""
        for path in (b"/", b"/a/b?c=d&e=%2F%2f", b"/a//b", b"/@x", b"/:80", b"/a?u=https://evil.example", b"/%5Cevil"):
            self.assertEqual(safe_path(path), path.decode())

    def test_refused(self) -> None:
        """Anything else becomes the first page."""
        for path in (b"", b"//evil.example", b"///evil", b"/\\evil", b"\\\\evil", b"/\t/evil", b"/\n/evil", b" /x", b"https://evil",
                     b"javascript:x", b"x",
                     b"/\xc3\xa9", b"/a b", b"/" + b"a" * 3000, b"?x", b"/\x00", b"/\x7f"):  # fmt: skip
            self.assertEqual(safe_path(path), "/", path)

    @given(st.text(alphabet="/\\.:@?#%&=ev\t\n\r \u3002\uff0f", max_size=12))
    def test_never_leaves(self, text: str) -> None:
        """Whatever is asked for, as a browser resolves it, is on the same origin."""
        path = safe_path(text.encode())
        as_browsers_read_it = path.replace("\\", "/").replace("\t", "").replace("\n", "").replace("\r", "")
        self.assertEqual(urlsplit(urljoin(PORTAL, as_browsers_read_it)).netloc, urlsplit(PORTAL).netloc)
