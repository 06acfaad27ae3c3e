"""
What every `IUserStore` keeps.
"""

from __future__ import annotations

from zope.interface.verify import verifyObject

from coral_gate.errors import LastAdministrator, NotPermitted, StillInUse
from coral_gate.interfaces import IUserStore
from coral_gate.model import Role, UserId
from coral_gate.records import AsGate, AsUser, Capacity, new_user_row_id
from tests.stores.contract import BECAUSE, NOW, OPERATOR, StoreContract, a_child, a_sandbox, as_admin, as_user, box_id, digest, later

ISSUER = "https://issuer.example"


class UserStoreContract(StoreContract):
    """What every `IUserStore` keeps."""

    def test_provides(self) -> None:
        """It has every method of the interface, with its arguments."""
        verifyObject(IUserStore, self.stores.users)

    def test_allowed(self) -> None:
        """Who is let in is found by issuer and subject, with who let them in."""
        user = self.ask(self.stores.users.allow(OPERATOR, UserId(ISSUER, "ann"), Role.USER, NOW, "ann@example.org"))
        self.assertEqual(user, self.ask(self.stores.users.find(UserId(ISSUER, "ann"))))
        self.assertEqual(
            (user.who, user.email, user.name, user.role, user.disabled, user.allowed_by, user.created_at, user.last_sign_in_at),
            (UserId(ISSUER, "ann"), "ann@example.org", None, Role.USER, False, "operator", NOW, None),
        )

    def test_another_issuer(self) -> None:
        """The same subject at another issuer, or in other letters, is nobody we know."""
        self.person("ann")
        for who in (UserId("https://other.example", "ann"), UserId(ISSUER, "Ann"), UserId(ISSUER, "ann ")):
            self.assertIsNone(self.ask(self.stores.users.find(who)))

    def test_allowed_twice(self) -> None:
        """Who is let in again stays as they are: no second row, no other role."""
        ann = self.person("ann")
        self.assertEqual(ann, self.person("ann", Role.ADMINISTRATOR))
        self.assertEqual((ann,), self.ask(self.stores.users.list(OPERATOR)))

    def test_allow_needs_the_right(self) -> None:
        """Users, and capacities that have other work, let nobody in."""
        ann = self.person("ann")
        for by in (as_user(ann), AsGate(Capacity.SESSIONS), AsGate(Capacity.REVOCATIONS), as_admin(ann)):
            self.refused(NotPermitted, self.stores.users.allow(by, UserId(ISSUER, "bob"), Role.ADMINISTRATOR, NOW))
        self.assertIsNone(self.ask(self.stores.users.find(UserId(ISSUER, "bob"))))

    def test_allowed_by(self) -> None:
        """The configuration and administrators are named as those who let someone in."""
        root = self.person("root", Role.ADMINISTRATOR)
        users = self.stores.users
        bob = self.ask(users.allow(AsGate(Capacity.SIGN_IN), UserId(ISSUER, "bob"), Role.USER, NOW))
        eve = self.ask(users.allow(as_admin(root), UserId(ISSUER, "eve"), Role.USER, NOW))
        self.assertEqual(("configuration", root.id), (bob.allowed_by, eve.allowed_by))

    def test_sign_in(self) -> None:
        """A sign-in brings what the issuer says now, and its time."""
        ann = self.person("ann")
        user = self.ask(self.stores.users.sign_in(ann.who, "ann@new.example", "Ann", later(5)))
        assert user is not None
        self.assertEqual((user.id, user.email, user.name, user.last_sign_in_at), (ann.id, "ann@new.example", "Ann", later(5)))
        self.assertEqual(user, self.ask(self.stores.users.find(ann.who)))

    def test_sign_in_organisation(self) -> None:
        """The organisation that the issuer states is kept with the person, until a sign-in states another, or none."""
        ann = self.person("ann")
        self.assertIsNone(ann.hd)
        for hd in ("good.example", "other.example", None):
            user = self.ask(self.stores.users.sign_in(ann.who, None, None, later(5), hd))
            assert user is not None
            self.assertEqual(user.hd, hd)
            self.assertEqual(user, self.ask(self.stores.users.find(ann.who)))

    def test_sign_in_shows_only_print(self) -> None:
        """What cannot be shown is left out of the e-mail address and the name, and they are cut at their limits."""
        ann = self.person("ann")
        user = self.ask(self.stores.users.sign_in(ann.who, "a\x00\nb@example.org", "\u202e" + "n" * 500, later(5)))
        assert user is not None
        self.assertEqual(("ab@example.org", "n" * 200), (user.email, user.name))

    def test_sign_in_unknown(self) -> None:
        """Who was not let in does not come to be by signing in."""
        self.assertIsNone(self.ask(self.stores.users.sign_in(UserId(ISSUER, "eve"), None, None, NOW)))
        self.assertEqual((), self.ask(self.stores.users.list(OPERATOR)))

    def test_sign_in_disabled(self) -> None:
        """A disabled user is given as such, and nothing is noted."""
        ann = self.person("ann")
        self.ask(self.stores.users.set_disabled(OPERATOR, ann.id, True, BECAUSE))
        user = self.ask(self.stores.users.sign_in(ann.who, "x@example.org", None, later(5)))
        assert user is not None
        self.assertEqual((True, None, None), (user.disabled, user.email, user.last_sign_in_at))

    def test_get(self) -> None:
        """A user sees themselves, an administrator everyone, another user nobody else."""
        ann, bob, root = self.person("ann"), self.person("bob"), self.person("root", Role.ADMINISTRATOR)
        get = self.stores.users.get
        self.assertEqual(ann, self.ask(get(as_user(ann), ann.id)))
        self.assertEqual(ann, self.ask(get(as_admin(root), ann.id)))
        self.assertIsNone(self.ask(get(as_user(bob), ann.id)))
        self.assertIsNone(self.ask(get(AsGate(Capacity.HANDOFF), ann.id)))
        self.assertIsNone(self.ask(get(OPERATOR, new_user_row_id())))

    def test_list(self) -> None:
        """A list is in pages, in the order of row ids; a user's list is themselves."""
        people = sorted((self.person(f"p{number}") for number in range(5)), key=lambda user: user.id)
        whole = self.stores.users.list
        self.assertEqual(tuple(people), self.ask(whole(OPERATOR)))
        self.assertEqual(tuple(people[:2]), self.ask(whole(OPERATOR, most=2)))
        self.assertEqual(tuple(people[2:4]), self.ask(whole(OPERATOR, after=people[1].id, most=2)))
        self.assertEqual((people[3],), self.ask(whole(as_user(people[3]))))

    def test_role(self) -> None:
        """A changed role counts at once and leaves a revocation; the same role again leaves none."""
        ann, root = self.person("ann"), self.person("root", Role.ADMINISTRATOR)
        user = self.ask(self.stores.users.set_role(as_admin(root), ann.id, Role.ADMINISTRATOR, BECAUSE))
        assert user is not None
        self.assertEqual((Role.ADMINISTRATOR, user), (user.role, self.ask(self.stores.users.find(ann.who))))
        self.assertEqual([("role", ann.id)], self.news())
        self.ask(self.stores.users.set_role(as_admin(root), ann.id, Role.ADMINISTRATOR, BECAUSE))
        self.assertEqual([("role", ann.id)], self.news())

    def test_role_needs_the_right(self) -> None:
        """A user, the sign-in and a former administrator change no role."""
        ann, root = self.person("ann"), self.person("root", Role.ADMINISTRATOR)
        other = self.person("other", Role.ADMINISTRATOR)
        self.ask(self.stores.users.set_role(as_admin(root), other.id, Role.USER, BECAUSE))
        for by in (as_user(ann), as_admin(ann), as_admin(other), AsGate(Capacity.SIGN_IN), AsGate(Capacity.SESSIONS)):
            self.refused(NotPermitted, self.stores.users.set_role(by, ann.id, Role.ADMINISTRATOR, BECAUSE))
            self.refused(NotPermitted, self.stores.users.set_disabled(by, root.id, True, BECAUSE))
            self.refused(NotPermitted, self.stores.users.delete(by, root.id, BECAUSE))
        self.assertEqual([("role", other.id)], self.news())

    def test_disabled_administrator(self) -> None:
        """A disabled administrator administers nothing, not even by looking."""
        root, other = self.person("root", Role.ADMINISTRATOR), self.person("other", Role.ADMINISTRATOR)
        self.ask(self.stores.users.set_disabled(as_admin(root), other.id, True, BECAUSE))
        self.refused(NotPermitted, self.stores.users.list(as_admin(other)))
        self.refused(NotPermitted, self.stores.users.get(as_admin(other), root.id))
        self.refused(NotPermitted, self.stores.sessions.list(as_admin(other), root.id))
        self.refused(NotPermitted, self.stores.sandboxes.list(as_admin(other), root.id))

    def test_no_such_user(self) -> None:
        """Of a user who is not there nothing is changed."""
        nobody = new_user_row_id()
        self.assertIsNone(self.ask(self.stores.users.set_role(OPERATOR, nobody, Role.USER, BECAUSE)))
        self.assertIsNone(self.ask(self.stores.users.set_disabled(OPERATOR, nobody, True, BECAUSE)))
        self.assertFalse(self.ask(self.stores.users.delete(OPERATOR, nobody, BECAUSE)))
        self.assertEqual([], self.news())

    def test_disable(self) -> None:
        """Disabling ends the user's sessions with all below them, and nobody else's."""
        ann, bob = self.person("ann"), self.person("bob")
        mine, theirs = self.signed_in(ann, "mine"), self.signed_in(bob, "theirs")
        self.ask(self.stores.sessions.create_child(a_child(mine, "child", box_id("b")), most=5))
        user = self.ask(self.stores.users.set_disabled(OPERATOR, ann.id, True, BECAUSE))
        assert user is not None
        self.assertTrue(user.disabled)
        self.assertIsNone(self.ask(self.stores.sessions.find(mine.digest)))
        self.assertIsNone(self.ask(self.stores.sessions.find_child(digest("child"))))
        self.assertEqual(theirs, self.ask(self.stores.sessions.find(theirs.digest)))
        self.assertEqual([("session", mine.id), ("user", ann.id)], self.news())

    def test_enable(self) -> None:
        """An enabled user may sign in again; enabling takes nothing away."""
        ann = self.person("ann")
        self.ask(self.stores.users.set_disabled(OPERATOR, ann.id, True, BECAUSE))
        self.ask(self.stores.users.set_disabled(OPERATOR, ann.id, False, BECAUSE))
        self.assertEqual(ann, self.ask(self.stores.users.find(ann.who)))
        self.assertEqual([("user", ann.id)], self.news())

    def test_last_administrator(self) -> None:
        """Administrators cannot leave the gate without one; the operator can."""
        root, other = self.person("root", Role.ADMINISTRATOR), self.person("other", Role.ADMINISTRATOR)
        self.ask(self.stores.users.set_disabled(as_admin(root), other.id, True, BECAUSE))
        users, by = self.stores.users, as_admin(root)
        self.refused(LastAdministrator, users.set_role(by, root.id, Role.USER, BECAUSE))
        self.refused(LastAdministrator, users.set_disabled(by, root.id, True, BECAUSE))
        self.refused(LastAdministrator, users.delete(by, root.id, BECAUSE))
        self.assertEqual(root, self.ask(users.find(root.who)))
        self.assertEqual([("user", other.id)], self.news())
        self.ask(users.set_disabled(OPERATOR, root.id, True, BECAUSE))
        self.assertEqual([("user", other.id), ("user", root.id)], self.news())

    def test_delete(self) -> None:
        """Of a deleted user no row and no session is left; the tombstones of their sandboxes stay."""
        ann = self.person("ann")
        session = self.signed_in(ann, "mine")
        self.ask(self.stores.sandboxes.put(as_user(ann), a_sandbox(ann, "b")))
        self.refused(StillInUse, self.stores.users.delete(OPERATOR, ann.id, BECAUSE))
        self.assertEqual(session, self.ask(self.stores.sessions.find(session.digest)))
        self.ask(self.stores.sandboxes.tombstone(as_user(ann), box_id("b"), BECAUSE))
        self.assertTrue(self.ask(self.stores.users.delete(OPERATOR, ann.id, BECAUSE)))
        self.assertIsNone(self.ask(self.stores.users.find(ann.who)))
        self.assertIsNone(self.ask(self.stores.sessions.find(session.digest)))
        self.assertEqual([("sandbox", box_id("b")), ("session", session.id), ("user", ann.id)], self.news())
        self.assertIsNotNone(self.ask(self.stores.sandboxes.find(OPERATOR, box_id("b"))))

    def test_strict_values(self) -> None:
        """A person without a subject, or with one that cannot be printed, is no value to keep."""
        for who in (UserId(ISSUER, ""), UserId("", "x"), UserId(ISSUER, "x" * 256), UserId(ISSUER, "a\nb"), UserId(ISSUER, "\ud800")):
            self.refused(ValueError, self.stores.users.allow(OPERATOR, who, Role.USER, NOW))
            self.assertIsNone(self.ask(self.stores.users.find(who)))
        self.assertIsNone(self.ask(self.stores.users.get(AsUser(new_user_row_id()), new_user_row_id())))
