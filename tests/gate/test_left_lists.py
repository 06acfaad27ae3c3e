"""Who is on no list any more is out; who was let in by name stays."""

from __future__ import annotations

from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.audit.sinks import MemorySink, RefusingSink
from coral_gate.config import parse
from coral_gate.config.sections.limits import LimitsConfig
from coral_gate.config.sections.sessions import SessionsConfig
from coral_gate.errors import AuditUnavailable
from coral_gate.gate import left_lists
from coral_gate.gate.left_lists import REASON, LeftLists
from coral_gate.gate.sessions import Sessions
from coral_gate.gate.streams import Streams
from coral_gate.identity.configured import still_admitted
from coral_gate.interfaces import IAuditSink
from coral_gate.model import ChannelKind, CloseCode, Role, UserId
from coral_gate.records import AsGate, Capacity, User, UserRowId
from coral_gate.stores.providers import memory_stores
from coral_gate.visitor import Visitor
from tests.operations.test_reload import BASE, SIGN_IN
from tests.stores.contract import NOW, a_session, box_id

ISSUER = "https://issuer.example"
LISTS = 'allow_hd = ["good.example"]\nallow_email = ["Ann@mail.example"]\nallow_subject = ["carl"]\nadministrators = ["root"]\n'
PEOPLE = {
    "ann": ("Ann@mail.example", None),
    "bea": ("bea@good.example", "good.example"),
    "carl": (None, None),
    "root": (None, None),
    "dan": ("dan@good.example", None),  # an address is no organisation
    "eve": ("ann@mail.example", "evil.example"),  # the part before the @ is compared with its case
}


class LeftListsTests(SynchronousTestCase):
    """People with a session each."""

    def setUp(self) -> None:
        self.stores = memory_stores()
        self.cuts: list[tuple[UserRowId, str]] = []
        self.users: dict[str, User] = {}
        for sub, (email, hd) in PEOPLE.items():
            self.join(UserId(ISSUER, sub), Capacity.SIGN_IN, email, hd)
        self.join(UserId("https://other.example", "carl"), Capacity.SIGN_IN, name="another carl")
        self.join(UserId(ISSUER, "named"), Capacity.OPERATOR)

    def join(self, who: UserId, capacity: Capacity, email: str | None = None, hd: str | None = None, name: str = "") -> None:
        """Somebody who has signed in."""
        self.do(self.stores.users.allow(AsGate(capacity), who, Role.USER, NOW))
        user = self.do(self.stores.users.sign_in(who, email, None, NOW, hd))
        assert isinstance(user, User)
        self.users[name or who.sub] = user
        self.do(self.stores.sessions.create(a_session(user, name or who.sub), most=5))

    def do(self, work: object) -> object:
        """What it gives."""
        return self.successResultOf(Deferred.fromCoroutine(work))  # type: ignore[arg-type]  # the stores' methods are coroutines

    def left(self, more: str, audit: IAuditSink | None = None) -> LeftLists:
        """With these lines about signing in."""
        self.audit = MemorySink()
        sessions = Sessions(
            self.stores.sessions, self.stores.users, self.stores.sandboxes, audit or self.audit, SessionsConfig(),
            NOW.timestamp, lambda: 0.0,
        )  # fmt: skip
        admitted = still_admitted(parse(BASE + more, "/nowhere/gate.toml"))
        return LeftLists(self.stores.users, sessions, admitted, lambda user, why: self.cuts.append((user, why)))

    def inside(self) -> set[str]:
        """Who still has a session."""
        gate = AsGate(Capacity.SESSIONS)
        return {sub for sub, user in self.users.items() if self.do(self.stores.sessions.list(gate, user.id))}

    def test_lists(self) -> None:
        """Each list keeps whom it names, as at sign-in; everybody else's sessions and streams end, each recorded."""
        self.patch(left_lists, "_PAGE", 3)
        self.assertEqual(self.do(self.left(SIGN_IN + LISTS).end()), 3)
        self.assertEqual(self.inside(), {"ann", "bea", "carl", "root", "named"})
        self.assertEqual({user for user, _ in self.cuts}, {self.users[sub].id for sub in ("dan", "eve", "another carl")})
        self.assertEqual({why for _, why in self.cuts}, {REASON})
        self.assertEqual(
            {(event["who"]["sub"], event["reason"]) for event in self.audit.written()},  # type: ignore[index]  # JSON's object
            {(sub, "left-lists") for sub in ("dan", "eve", "carl")},
        )
        self.assertEqual(self.do(self.left(SIGN_IN + LISTS).end()), 0)

    def test_streams_at_once(self) -> None:
        """Their streams are cut at once with this reason, also of a session that nothing else remembers; everybody else's go on."""
        left = self.left(SIGN_IN + LISTS)
        streams = Streams(left._sessions, self.audit, LimitsConfig(), Clock())
        left._sessions.watcher = streams
        left._cut = lambda user, why: streams.cut_user(user, CloseCode.FORBIDDEN, why)
        heard: list[tuple[str, int, str]] = []
        for sub in ("ann", "dan", "eve"):
            visitor = Visitor(a_session(self.users[sub], sub), self.users[sub])
            heard_of = partial(lambda sub, code, why: heard.append((sub, int(code), why)), sub)
            self.do(streams.open(visitor, box_id("b"), ChannelKind.CONTROL, "192.0.2.1", heard_of))
        self.do(left.end())
        self.assertEqual({sub: (code, why) for sub, code, why in reversed(heard)}, {"dan": (4403, REASON), "eve": (4403, REASON)})

    def test_no_issuer(self) -> None:
        """Where nobody can sign in, who came in by a list is out."""
        self.do(self.left("").end())
        self.assertEqual(self.inside(), {"named"})

    def test_asked_each_time(self) -> None:
        """Whoever may not be in any more is nobody, even where their session could not be ended yet."""
        sessions = Sessions(
            self.stores.sessions, self.stores.users, self.stores.sandboxes, MemorySink(), SessionsConfig(), NOW.timestamp, lambda: 0.0
        )
        self.assertIsNotNone(self.do(sessions.find(b"ann")))
        sessions.forget_all()
        sessions.admitted = lambda user: user.who.sub != "ann"
        self.assertIsNone(self.do(sessions.find(b"ann")))
        self.assertIsNotNone(self.do(sessions.find(b"bea")))

    def test_not_recorded(self) -> None:
        """What cannot be recorded is not done, and it is asked for again later."""
        self.failureResultOf(Deferred.fromCoroutine(self.left(SIGN_IN + LISTS, RefusingSink()).end()), AuditUnavailable)
        self.assertEqual((self.inside(), self.cuts), (set(self.users), []))
