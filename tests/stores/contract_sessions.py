"""
What every `ISessionStore` keeps.
"""

from __future__ import annotations

from attrs import evolve
from zope.interface.verify import verifyObject

from coral_gate.errors import Conflict, NotPermitted
from coral_gate.interfaces import ISessionStore
from coral_gate.model import Role
from coral_gate.records import AsGate, Because, Capacity, SandboxSession, new_session_id, new_user_row_id
from tests.stores.contract import (
    BECAUSE,
    NOW,
    OPERATOR,
    StoreContract,
    a_child,
    a_handoff,
    a_session,
    as_admin,
    as_user,
    box_id,
    digest,
    later,
)


class SessionStoreContract(StoreContract):
    """What every `ISessionStore` keeps."""

    def test_provides(self) -> None:
        """It has every method of the interface, with its arguments."""
        verifyObject(ISessionStore, self.stores.sessions)

    def test_found(self) -> None:
        """A session is found by its digest, as it was kept, to the microsecond; any other digest finds none."""
        ann = self.person("ann")
        session = self.signed_in(ann, "mine")
        self.assertEqual(session, self.ask(self.stores.sessions.find(digest("mine"))))
        for other in (digest("other"), b"", b"x" * 31, digest("mine")[:-1] + b"\0"):
            self.assertIsNone(self.ask(self.stores.sessions.find(other)))

    def test_kept_though_over(self) -> None:
        """A session that is over is still found until it is purged: judging it is the caller's."""
        session = self.signed_in(self.person("ann"), "mine", absolute_expires_at=later(-1))
        self.assertTrue(session.is_over(NOW))
        self.assertEqual(session, self.ask(self.stores.sessions.find(session.digest)))

    def test_user_must_be_there(self) -> None:
        """Nobody who is unknown or disabled gets a session."""
        ann = self.person("ann")
        self.refused(NotPermitted, self.stores.sessions.create(evolve(a_session(ann, "x"), user=new_user_row_id()), most=5))
        self.ask(self.stores.users.set_disabled(OPERATOR, ann.id, True, BECAUSE))
        self.refused(NotPermitted, self.stores.sessions.create(a_session(ann, "y"), most=5))
        self.assertIsNone(self.ask(self.stores.sessions.find(digest("y"))))

    def test_digest_once(self) -> None:
        """A digest that is there already is a conflict, and the session that has it stays."""
        ann, bob = self.person("ann"), self.person("bob")
        session = self.signed_in(ann, "mine")
        self.refused(Conflict, self.stores.sessions.create(a_session(bob, "mine"), most=5))
        self.assertEqual(session, self.ask(self.stores.sessions.find(digest("mine"))))

    def test_most(self) -> None:
        """With one session too many, the one seen least recently ends, whichever was created first."""
        ann, bob = self.person("ann"), self.person("bob")
        old = self.signed_in(ann, "old", created_at=later(-9), last_seen_at=later(9))
        idle = self.signed_in(ann, "idle", created_at=later(-5), last_seen_at=later(1))
        others = self.signed_in(bob, "bob")
        new = a_session(ann, "new", created_at=later(10), last_seen_at=later(10))
        self.assertEqual((idle.id,), self.ask(self.stores.sessions.create(new, most=2)))
        self.assertEqual([new.id, old.id], self.ids_of(ann))
        self.assertEqual([others.id], self.ids_of(bob))
        self.assertEqual([("session", idle.id)], self.news())

    def test_touch(self) -> None:
        """Seen times are written for sessions and sandbox sessions, never backwards; digests that are gone are passed over."""
        session = self.signed_in(self.person("ann"), "mine")
        child = a_child(session, "child", box_id("b"))
        self.ask(self.stores.sessions.create_child(child, most=5))
        self.ask(self.stores.sessions.touch_many({session.digest: later(30), child.digest: later(40), digest("gone"): later(5)}))
        self.ask(self.stores.sessions.touch_many({session.digest: later(20), child.digest: later(20)}))
        self.ask(self.stores.sessions.touch_many({}))
        found = self.ask(self.stores.sessions.find_child(child.digest))
        assert found is not None
        self.assertEqual((later(40), later(30)), (found[0].last_seen_at, found[1].last_seen_at))

    def test_child(self) -> None:
        """A sandbox session is found with its parent, and is not found as a session, nor a session as one."""
        session = self.signed_in(self.person("ann"), "mine")
        child = a_child(session, "child", box_id("b"))
        self.assertTrue(self.ask(self.stores.sessions.create_child(child, most=5)))
        self.assertEqual((child, session), self.ask(self.stores.sessions.find_child(child.digest)))
        self.assertIsNone(self.ask(self.stores.sessions.find(child.digest)))
        self.assertIsNone(self.ask(self.stores.sessions.find_child(session.digest)))

    def test_child_needs_its_parent(self) -> None:
        """Below no session, or another user's, no sandbox session is kept."""
        ann, bob = self.person("ann"), self.person("bob")
        session = self.signed_in(ann, "mine")
        stray = SandboxSession(new_session_id(), digest("c1"), session.digest, bob.id, box_id("b"), NOW, NOW)
        orphan = SandboxSession(new_session_id(), digest("c2"), digest("none"), ann.id, box_id("b"), NOW, NOW)
        for child in (stray, orphan):
            self.assertFalse(self.ask(self.stores.sessions.create_child(child, most=5)))
            self.assertIsNone(self.ask(self.stores.sessions.find_child(child.digest)))

    def test_children_most(self) -> None:
        """Beyond so many at one sandbox the oldest sandbox session ends, and none at another sandbox."""
        session = self.signed_in(self.person("ann"), "mine")
        children = [a_child(session, f"c{number}", box_id("b"), later(number)) for number in range(3)]
        elsewhere = a_child(session, "elsewhere", box_id("c"), later(-5))
        for child in (elsewhere, *children):
            self.ask(self.stores.sessions.create_child(child, most=2))
        self.assertIsNone(self.ask(self.stores.sessions.find_child(children[0].digest)))
        for child in (elsewhere, *children[1:]):
            self.assertEqual((child, session), self.ask(self.stores.sessions.find_child(child.digest)))

    def test_end(self) -> None:
        """A session's end is the end of all below it, in one revocation; a second end finds nothing."""
        ann = self.person("ann")
        session, other = self.signed_in(ann, "mine"), self.signed_in(ann, "other")
        for parent, name in ((session, "c1"), (session, "c2"), (other, "c3")):
            self.ask(self.stores.sessions.create_child(a_child(parent, name, box_id("b")), most=5))
        self.ask(self.stores.handoffs.put(a_handoff(session, "code", later(30))))
        self.assertTrue(self.ask(self.stores.sessions.end(session.digest, BECAUSE)))
        self.assertFalse(self.ask(self.stores.sessions.end(session.digest, BECAUSE)))
        self.assertIsNone(self.ask(self.stores.sessions.find(session.digest)))
        for name in ("c1", "c2"):
            self.assertIsNone(self.ask(self.stores.sessions.find_child(digest(name))))
        self.assertIsNone(self.ask(self.stores.handoffs.take(digest("code"), NOW)))
        self.assertIsNotNone(self.ask(self.stores.sessions.find_child(digest("c3"))))
        self.assertEqual([("session", session.id)], self.news())

    def test_end_a_child(self) -> None:
        """A sandbox session ends alone; its parent lives on."""
        session = self.signed_in(self.person("ann"), "mine")
        child = a_child(session, "child", box_id("b"))
        self.ask(self.stores.sessions.create_child(child, most=5))
        self.assertTrue(self.ask(self.stores.sessions.end(child.digest, BECAUSE)))
        self.assertIsNone(self.ask(self.stores.sessions.find_child(child.digest)))
        self.assertEqual(session, self.ask(self.stores.sessions.find(session.digest)))
        self.assertEqual([("sandbox-session", child.id)], self.news())

    def test_end_by_id(self) -> None:
        """Users end their own sessions by what their list shows, administrators anyone's; nobody else's falls."""
        ann, bob, root = self.person("ann"), self.person("bob"), self.person("root", Role.ADMINISTRATOR)
        first, second = self.signed_in(ann, "first"), self.signed_in(ann, "second")
        end = self.stores.sessions.end_by_id
        for by in (as_user(bob), AsGate(Capacity.HANDOFF)):
            self.assertFalse(self.ask(end(by, first.id, BECAUSE)))
        self.refused(NotPermitted, end(as_admin(bob), first.id, BECAUSE))
        self.assertFalse(self.ask(end(as_user(ann), new_session_id(), BECAUSE)))
        self.assertEqual([], self.news())
        self.assertTrue(self.ask(end(as_user(ann), first.id, BECAUSE)))
        self.assertTrue(self.ask(end(as_admin(root), second.id, BECAUSE)))
        self.assertEqual([], self.ids_of(ann))
        self.assertEqual([("session", first.id), ("session", second.id)], self.news())

    def test_end_all(self) -> None:
        """All of a user's sessions end but the one to keep; of another user's none."""
        ann, bob = self.person("ann"), self.person("bob")
        mine = [self.signed_in(ann, name) for name in ("a", "b", "c")]
        theirs = self.signed_in(bob, "bob")
        self.ask(self.stores.sessions.create_child(a_child(mine[0], "child", box_id("b")), most=5))
        end_all = self.stores.sessions.end_all
        self.assertEqual((), self.ask(end_all(as_user(bob), ann.id, BECAUSE)))
        self.assertEqual({mine[0].id, mine[2].id}, set(self.ask(end_all(as_user(ann), ann.id, BECAUSE, keep=mine[1].id))))
        self.assertEqual([mine[1].id], self.ids_of(ann))
        self.assertIsNone(self.ask(self.stores.sessions.find_child(digest("child"))))
        self.assertEqual((mine[1].id,), self.ask(end_all(OPERATOR, ann.id, BECAUSE)))
        self.assertEqual([theirs.id], self.ids_of(bob))
        self.assertEqual({("session", session.id) for session in mine}, set(self.news()))

    def test_list(self) -> None:
        """A list shows the newest first, to its owner and to administrators."""
        ann, bob, root = self.person("ann"), self.person("bob"), self.person("root", Role.ADMINISTRATOR)
        older, newer = self.signed_in(ann, "older", created_at=later(-9)), self.signed_in(ann, "newer")
        for by in (as_user(ann), as_admin(root)):
            self.assertEqual((newer, older), self.ask(self.stores.sessions.list(by, ann.id)))
        self.assertEqual((), self.ask(self.stores.sessions.list(as_user(bob), ann.id)))

    def test_opened(self) -> None:
        """A session knows on which sandboxes' origins it has sandbox sessions."""
        ann = self.person("ann")
        session, other = self.signed_in(ann, "mine"), self.signed_in(ann, "other")
        for parent, name, letter in ((session, "c1", "d"), (session, "c2", "b"), (session, "c3", "d"), (other, "c4", "e")):
            self.ask(self.stores.sessions.create_child(a_child(parent, name, box_id(letter)), most=5))
        self.assertEqual((box_id("b"), box_id("d")), self.ask(self.stores.sessions.opened(session.digest)))
        self.assertEqual((), self.ask(self.stores.sessions.opened(digest("none"))))

    def test_purge(self) -> None:
        """Sessions past their absolute or idle time are purged, so many at a time; all others stay."""
        ann = self.person("ann")
        self.signed_in(ann, "idle", last_seen_at=later(-3600))
        self.signed_in(ann, "old", absolute_expires_at=NOW)
        fresh = self.signed_in(ann, "fresh", last_seen_at=later(-3599), absolute_expires_at=later(0.000001))
        self.assertEqual(1, self.ask(self.stores.sessions.purge(NOW, most=1)))
        self.assertEqual(1, self.ask(self.stores.sessions.purge(NOW)))
        self.assertEqual(0, self.ask(self.stores.sessions.purge(NOW)))
        self.assertEqual([fresh.id], self.ids_of(ann))
        rows = self.ask(self.stores.revocations.since(0))
        assert rows is not None
        self.assertEqual([("expired", NOW)] * 2, [(row.reason, row.at) for row in rows])

    def test_reason(self) -> None:
        """The reason of an end is in its revocation; one that cannot be shown is no reason."""
        session = self.signed_in(self.person("ann"), "mine")
        self.ask(self.stores.sessions.end(session.digest, Because("token stolen", later(3))))
        rows = self.ask(self.stores.revocations.since(0))
        assert rows is not None
        self.assertEqual([(1, "token stolen", later(3), session.user)], [(row.seq, row.reason, row.at, row.user) for row in rows])
        for reason in ("", "x" * 201, "line\nfeed"):
            self.assertRaises(ValueError, Because, reason, NOW)
