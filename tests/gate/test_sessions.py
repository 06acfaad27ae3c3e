"""Sessions: one token, one browser, and no longer than they say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.sinks import RefusingSink
from coral_gate.config.sections.sessions import SessionsConfig
from coral_gate.errors import AuditUnavailable, Unavailable
from coral_gate.gate.sessions import UNKNOWN
from coral_gate.gate.tokens import PORTAL_COOKIE, SANDBOX_COOKIE, cookie_token, digest_of, drop_cookie, new_token, set_cookie
from coral_gate.model import Role
from coral_gate.records import AsGate, Because, Capacity, SessionId
from coral_gate.visitor import Visitor
from tests.gate.stage import OTHER, SANDBOX, START, Stage, now

CONFIG = SessionsConfig(absolute_s=3600, idle_s=600, most_per_user=3, cache_s=10)


class TokenTests(SynchronousTestCase):
    """Tokens and the cookies that carry them."""

    def test_random(self) -> None:
        """Tokens are 256 random bits in 43 characters, never the same twice, and shown nowhere."""
        tokens = [new_token() for _ in range(10_000)]
        self.assertEqual({len(token.reveal()) for token in tokens}, {43})
        self.assertEqual(len({token.reveal() for token in tokens}), 10_000)
        self.assertNotIn(tokens[0].reveal().decode(), repr(tokens[0]))

    def test_cookie(self) -> None:
        """The token of exactly this cookie, in any place of the list; none where there are two, or where it is no token."""
        token = new_token().reveal()
        ours = PORTAL_COOKIE + b"=" + token
        for cookie in (ours, b"a=1; " + ours, ours + b";b=2", b"a=1;" + ours + b" ; b=2", SANDBOX_COOKIE + b"=" + b"x" * 43 + b"; " + ours):
            self.assertEqual(cookie_token(cookie, PORTAL_COOKIE), token, cookie)
        quoted, other_case = b'__Host-coral="' + token + b'"', ours.replace(b"__Host", b"__host")
        none: tuple[bytes | None, ...] = (
            None,
            b"",
            b"a=1",
            ours + b"; " + ours,
            b"x" + ours,
            ours[:-1],
            ours + b"x",
            quoted,
            other_case,
            b"a=" + ours,
        )
        for other in none:
            self.assertIsNone(cookie_token(other, PORTAL_COOKIE), other)

    def test_attributes(self) -> None:
        """Every cookie of ours is host-only, Secure, HttpOnly and Lax, and fits."""
        for value in (set_cookie(PORTAL_COOKIE, new_token(), 60), drop_cookie(SANDBOX_COOKIE)):
            parts = {part.strip().lower() for part in value.split(b";")[1:]}
            self.assertLessEqual({b"path=/", b"secure", b"httponly", b"samesite=lax"}, parts)
            self.assertTrue(value.startswith(b"__Host-") and b"domain" not in value.lower() and len(value) < 4096)


class SessionTests(SynchronousTestCase):
    """One session's life."""

    def setUp(self) -> None:
        self.stage = Stage(CONFIG)
        self.alice = self.stage.person()

    def test_found(self) -> None:
        """A token is its person's; after one look at the store memory knows; another token is nobody's."""
        token, _ = self.stage.sign_in(self.alice)
        found = self.stage.sessions.cached(token)
        assert isinstance(found, Visitor)
        self.assertEqual((found.user, found.who), (self.alice.id, self.alice.who))
        self.assertIs(self.stage.sessions.cached(b"x" * 43), UNKNOWN)
        self.assertIsNone(self.stage.find(b"x" * 43))

    def test_survives_restart(self) -> None:
        """A session outlives the process: another one finds it in the store."""
        token, visitor = self.stage.sign_in(self.alice)
        again = Stage(CONFIG, self.stage.stores)
        found = again.find(token)
        assert found is not None
        self.assertEqual(found.session, visitor.session)

    def test_idle(self) -> None:
        """Without a request a session ends at its idle time; each request keeps it."""
        token, _ = self.stage.sign_in(self.alice)
        for _ in range(3):
            self.stage.pass_time(599)
            self.assertIsNotNone(self.stage.find(token))
        self.stage.pass_time(600)
        self.assertIsNone(self.stage.sessions.cached(token) if self.stage.sessions.cached(token) is not UNKNOWN else self.stage.find(token))
        self.assertIsNone(self.stage.find(token))

    def test_idle_from_memory(self) -> None:
        """What was seen but not yet written counts; what was written counts after a restart."""
        token, _ = self.stage.sign_in(self.alice)
        self.stage.pass_time(500)
        self.assertIsNotNone(self.stage.find(token))
        now(self.stage.sessions.write_seen())
        again = Stage(CONFIG, self.stage.stores, time=self.stage.time + 500)
        self.assertIsNotNone(again.find(token))

    def test_absolute(self) -> None:
        """No amount of use keeps a session past its absolute end."""
        token, _ = self.stage.sign_in(self.alice)
        for _ in range(7):
            self.stage.pass_time(500)
            self.assertIsNotNone(self.stage.find(token))
        self.stage.pass_time(100)
        self.assertIsNone(self.stage.find(token))

    def test_clock_back(self) -> None:
        """A clock that goes back makes no dead session live."""
        token, visitor = self.stage.sign_in(self.alice)
        now(self.stage.sessions.end(visitor, "signed-out"))
        self.stage.time -= 86400
        self.assertIsNone(self.stage.find(token))

    def test_new_token_at_sign_in(self) -> None:
        """A sign-in ends the session that the browser had: its token is nobody's from then on."""
        old, visitor = self.stage.sign_in(self.alice)
        new, _ = self.stage.sign_in(self.alice, replaces=visitor)
        self.assertNotEqual(old, new)
        self.assertIsNone(self.stage.find(old))
        self.assertTrue(visitor.over)
        self.assertIsNotNone(self.stage.find(new))

    def test_end(self) -> None:
        """What ends, ends at once, in memory too, and whoever holds the visitor sees it."""
        token, visitor = self.stage.sign_in(self.alice)
        now(self.stage.sessions.end(visitor, "signed-out"))
        self.assertIs(self.stage.sessions.cached(token), UNKNOWN)
        self.assertIsNone(self.stage.find(token))
        self.assertTrue(visitor.over)

    def test_limit(self) -> None:
        """One session more than allowed ends the one that was used least recently."""
        tokens = []
        for _ in range(4):
            tokens.append(self.stage.sign_in(self.alice)[0])
            self.stage.pass_time(1)
        self.assertEqual([self.stage.find(token) is not None for token in tokens], [False, True, True, True])

    def test_others(self) -> None:
        """A person lists and ends their own sessions, and nobody else's."""
        mine, here = self.stage.sign_in(self.alice)
        other, there = self.stage.sign_in(self.alice)
        bobs, bob = self.stage.sign_in(self.stage.person("bob"))
        self.assertEqual({one.id for one in now(self.stage.sessions.list(here))}, {here.session, there.session})  # type: ignore[attr-defined]
        before = self.stage.audit.types()
        self.assertIs(now(self.stage.sessions.end_other(here, bob.session, "")), False)
        self.assertIsNotNone(self.stage.find(bobs))
        self.assertFalse(bob.over)
        self.assertEqual(self.stage.audit.types(), before, "nothing has ended, so nothing says so")
        self.assertIs(now(self.stage.sessions.end_other(here, there.session, "")), True)
        self.assertIsNone(self.stage.find(other))
        third, _ = self.stage.sign_in(self.alice)
        self.assertEqual(now(self.stage.sessions.end_others(here, "")), 1)
        self.assertEqual([self.stage.find(token) is not None for token in (mine, third, bobs)], [True, False, True])

    def test_unknown_id(self) -> None:
        """An id that is none is no session."""
        _, here = self.stage.sign_in(self.alice)
        for text in ("", "x", "a" * 26, "'; DROP TABLE sessions"):
            self.assertIs(now(self.stage.sessions.end_other(here, SessionId(text), "")), False, text)

    def test_disabled(self) -> None:
        """Somebody who is disabled, by whichever process, is out with the next look at the log of revocations."""
        token, _ = self.stage.sign_in(self.alice)
        self.stage.upkeep.start()
        self.addCleanup(lambda: now(self.stage.upkeep.stop()))
        now(self.stage.stores.users.set_disabled(AsGate(Capacity.OPERATOR), self.alice.id, True, Because("left", START)))
        self.stage.pass_time(1)
        self.assertIs(self.stage.sessions.cached(token), UNKNOWN)
        self.assertIsNone(self.stage.find(token))

    def test_role_live(self) -> None:
        """A role is what the store says at this moment."""
        _, visitor = self.stage.sign_in(self.alice)
        self.assertIs(now(self.stage.sessions.role(visitor)), Role.USER)
        now(self.stage.stores.users.set_role(AsGate(Capacity.OPERATOR), self.alice.id, Role.ADMINISTRATOR, Because("x", START)))
        self.assertIs(now(self.stage.sessions.role(visitor)), Role.ADMINISTRATOR)

    def test_recorded_first(self) -> None:
        """What cannot be recorded is not done: nobody is signed in."""
        self.stage.sessions.audit = RefusingSink()
        self.assertRaises(AuditUnavailable, self.stage.sign_in, self.alice)
        self.assertEqual(now(self.stage.stores.sessions.purge(datetime(2100, 1, 1, tzinfo=UTC))), 0)

    def test_cache_age(self) -> None:
        """An answer is kept for so long and no longer, and not at all while revocations may be missed."""
        token, _ = self.stage.sign_in(self.alice)
        self.stage.pass_time(9.5)
        self.assertIsInstance(self.stage.sessions.cached(token), Visitor)
        self.stage.pass_time(1)
        self.assertIs(self.stage.sessions.cached(token), UNKNOWN)
        self.assertIsNotNone(self.stage.find(token))
        self.stage.sessions.trusted = False
        self.assertIs(self.stage.sessions.cached(token), UNKNOWN)

    def test_ended_while_asked(self) -> None:
        """A session that ends while the store is being asked is not taken for living, and is not kept in memory."""
        token, visitor = self.stage.sign_in(self.alice)
        self.stage.sessions.forget_all()
        store, gate = self.stage.sessions.store, Deferred[None]()

        class Slow:
            async def find(self, digest: bytes) -> object:
                found = await store.find(digest)
                if not gate.called:
                    await gate
                return found

            def __getattr__(self, name: str) -> object:
                return getattr(store, name)

        self.stage.sessions.store = Slow()  # type: ignore[assignment]  # the store, slower
        asked = Deferred.fromCoroutine(self.stage.sessions.find(token))
        self.assertNoResult(asked)
        now(self.stage.sessions.end(visitor, "signed-out"))
        gate.callback(None)
        self.assertIsNone(self.successResultOf(asked))
        self.assertIs(self.stage.sessions.cached(token), UNKNOWN)

    def test_revoked_without_end(self) -> None:
        """Where something is revoked during every look at the store, nobody is let in."""
        token, _ = self.stage.sign_in(self.alice)
        store, sessions = self.stage.sessions.store, self.stage.sessions

        class Restless:
            async def find(self, digest: bytes) -> object:
                sessions.forget_session(SessionId("x"))
                return await store.find(digest)

        self.stage.sessions.store = Restless()  # type: ignore[assignment]  # the store, with a revocation each time
        sessions.forget_all()
        self.assertRaises(Unavailable, self.stage.find, token)

    def test_store_down(self) -> None:
        """A failing log of revocations ends the trust in memory after the lease, and trust comes back with the log."""
        token, _ = self.stage.sign_in(self.alice)
        self.stage.upkeep.start()
        self.addCleanup(lambda: now(self.stage.upkeep.stop()))
        self.assertIsNotNone(self.stage.find(token))
        log = self.stage.upkeep.revocations

        class Down:
            async def last(self) -> int:
                raise Unavailable

        self.stage.upkeep.revocations = Down()  # type: ignore[assignment]  # the log, down
        for _ in range(5):
            self.stage.pass_time(1)
        self.assertIsInstance(self.stage.sessions.cached(token), Visitor)
        for _ in range(8):
            self.stage.pass_time(1)
        self.assertFalse(self.stage.sessions.trusted)
        self.stage.upkeep.revocations = log
        self.stage.pass_time(1)
        self.assertTrue(self.stage.sessions.trusted)
        self.assertGreater(len(self.flushLoggedErrors(Unavailable)), 5)


class HandoffTests(SynchronousTestCase):
    """Over to a sandbox's origin, once."""

    def setUp(self) -> None:
        self.stage = Stage(CONFIG)
        self.token, self.visitor = self.stage.sign_in(self.stage.person())
        self.stage.owned.add((self.visitor.who, SANDBOX))
        self.browser = new_token().reveal()

    def issue(self, sandbox: object = SANDBOX, binding: str | None = None) -> bytes | None:
        """A code for a sandbox."""
        bound = digest_of(self.browser).hex() if binding is None else binding
        code = now(self.stage.handoffs.issue(self.visitor, sandbox, bound, "/p?q", "192.0.2.1"))  # type: ignore[arg-type]
        return None if code is None else code.reveal()  # type: ignore[attr-defined]

    def take(self, code: bytes, sandbox: object = SANDBOX, browser: bytes | None = b"") -> object:
        """What comes of a code."""
        token = self.browser if browser == b"" else browser
        return now(self.stage.handoffs.take(code, sandbox, token, "192.0.2.1", self.stage.sessions.find_digest))  # type: ignore[arg-type]

    def test_taken(self) -> None:
        """A code gives a sandbox session of its sandbox alone, which is no session at the portal, and dies with its parent."""
        taken = self.take(self.issue() or b"")
        assert isinstance(taken, tuple)
        token = taken[0].reveal()
        self.assertEqual(taken[1], "/p?q")
        guest = now(self.stage.sessions.find_guest(token))
        self.assertEqual((guest.sandbox, guest.visitor.session), (SANDBOX, self.visitor.session))  # type: ignore[attr-defined]
        self.assertIsNone(self.stage.find(token))
        self.assertIsNone(now(self.stage.sessions.find_guest(self.token)))
        now(self.stage.sessions.end(self.visitor, "signed-out"))
        self.assertIs(self.stage.sessions.cached_guest(token), UNKNOWN)
        self.assertIsNone(now(self.stage.sessions.find_guest(token)))

    def test_refused_and_spent(self) -> None:
        """Another sandbox, another browser, none, too late, twice, a session that is over: refused, spent, and audited."""
        stage = self.stage
        before: dict[str, Callable[[bytes], object]] = {
            "twice": self.take,
            "late": lambda code: setattr(stage, "time", stage.time + 31),
            "not-theirs": lambda code: setattr(stage, "owned", set()),
            "over": lambda code: now(stage.sessions.end(self.visitor, "x")),
        }
        cases: dict[str, Callable[[bytes], object]] = {
            "other-sandbox": lambda code: self.take(code, OTHER),
            "other-browser": lambda code: self.take(code, browser=new_token().reveal()),
            "no-browser": lambda code: self.take(code, browser=None),
        }
        for name in before:
            cases[name] = lambda code, name=name: (before[name](code), self.take(code))[1]  # type: ignore[misc]
        for name, attempt in cases.items():
            code = self.issue()
            assert code is not None
            self.assertIsNone(attempt(code), name)
            self.assertIsNone(self.take(code), f"{name}: not spent")
            self.stage.owned.add((self.visitor.who, SANDBOX))
            self.assertIn("handoff.refused", self.stage.audit.types())
        self.assertIsNone(self.take(b"x" * 43))

    def test_not_issued(self) -> None:
        """No code for somebody else's sandbox, for one that is not there, or without a browser to bind it to."""
        self.assertIsNone(self.issue(OTHER))
        for binding in ("", "zz" * 32, "ab" * 31, "ab" * 33, "é" * 64):
            self.assertIsNone(self.issue(binding=binding), binding)


class Machine(RuleBasedStateMachine):
    """Sessions and codes against a model: a set of tokens that live."""

    @initialize()
    def begin(self) -> None:
        """Two people and nothing else."""
        self.stage = Stage(SessionsConfig(absolute_s=1000, idle_s=300, most_per_user=2, cache_s=10))
        self.people = [self.stage.person("alice"), self.stage.person("bob")]
        for person in self.people:
            self.stage.owned.add((person.who, SANDBOX))
        self.live: dict[bytes, tuple[Visitor, float, float]] = {}
        self.dead: set[bytes] = set()
        self.guests: dict[bytes, bytes] = {}
        self.spent: set[bytes] = set()
        self.codes: dict[bytes, bytes] = {}
        self.issued: dict[bytes, tuple[bytes, float]] = {}

    def _is_over(self, token: bytes) -> bool:
        _, ends, seen = self.live[token]
        return self.stage.time >= ends or self.stage.time >= seen + 300

    @rule(who=st.integers(0, 1))
    def sign_in(self, who: int) -> None:
        """A new session; of three the one seen least recently ends."""
        person = self.people[who]
        self.stage.pass_time(1)  # no two were seen at the same instant
        token, visitor = self.stage.sign_in(person)
        self.live[token] = (visitor, self.stage.time + 1000, self.stage.time)
        living = set()
        for one in now(self.stage.sessions.store.list(AsGate(Capacity.SESSIONS), person.id)):  # type: ignore[attr-defined]
            living.add(one.digest)
        for old in [old for old, (was, _, _) in self.live.items() if was.user == person.id and digest_of(old) not in living]:
            self._kill(old)

    def _kill(self, token: bytes) -> None:
        del self.live[token]
        self.dead.add(token)

    @rule(seconds=st.sampled_from([1, 9, 11, 100, 299, 301, 700]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.stage.pass_time(seconds)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        """A token that lives is known, one that has run out is not."""
        token = data.draw(st.sampled_from(list(self.live)))
        cached = self.stage.sessions.cached(token)
        found = self.stage.find(token) if cached is UNKNOWN else cached
        if self._is_over(token):
            assert found is None
            self._kill(token)
        else:
            assert isinstance(found, Visitor)
            self.live[token] = (self.live[token][0], self.live[token][1], self.stage.time)
            self.stage.pass_time(1)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def sign_out(self, data: st.DataObject) -> None:
        """Signing out ends it."""
        token = data.draw(st.sampled_from(list(self.live)))
        now(self.stage.sessions.end(self.live[token][0], "signed-out"))
        self._kill(token)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def issue(self, data: st.DataObject) -> None:
        """A code for a sandbox, whose browser is named after it."""
        token = data.draw(st.sampled_from(list(self.live)))
        browser = new_token().reveal()
        code = now(self.stage.handoffs.issue(self.live[token][0], SANDBOX, digest_of(browser).hex(), "/", ""))
        if code is not None:
            self.codes[code.reveal()] = browser  # type: ignore[attr-defined]
            self.issued[code.reveal()] = (token, self.stage.time)  # type: ignore[attr-defined]

    @precondition(lambda self: self.codes)
    @rule(data=st.data(), right=st.booleans())
    def take(self, data: st.DataObject, right: bool) -> None:
        """A code is good once, in its own browser, for its own sandbox."""
        code = data.draw(st.sampled_from(list(self.codes)))
        browser = self.codes[code]
        taken = now(self.stage.handoffs.take(code, SANDBOX if right else OTHER, browser, "", self.stage.sessions.find_digest))
        assert taken is None or (right and code not in self.spent)
        token, at = self.issued[code]
        if code not in self.spent and self.stage.time < at + 30 and token in self.live and not self._is_over(token):
            self.live[token] = (self.live[token][0], self.live[token][1], self.stage.time)  # whoever hands over uses their session
        self.spent.add(code)
        if isinstance(taken, tuple):
            guest = now(self.stage.sessions.find_guest(taken[0].reveal()))
            assert guest is not None
            self.guests[taken[0].reveal()] = guest.visitor.digest  # type: ignore[attr-defined]

    @invariant()
    def dead_stay_dead(self) -> None:
        """No dead token is anybody's, and no guest outlives its session."""
        living = {digest_of(token) for token in self.live}
        for token in self.dead:
            assert self.stage.find(token) is None
        for token, parent in self.guests.items():
            if parent not in living:
                cached = self.stage.sessions.cached_guest(token)
                assert (now(self.stage.sessions.find_guest(token)) if cached is UNKNOWN else cached) is None


class MachineTests(SynchronousTestCase):
    """The model and the rooms agree."""

    def test_machine(self) -> None:
        """In any order of signing in and out, waiting, using, handing over and taking."""
        run_state_machine_as_test(Machine, settings=settings(stateful_step_count=30))
