"""
What every `ISandboxStore` keeps.
"""

from __future__ import annotations

from attrs import evolve
from zope.interface.verify import verifyObject

from coral_gate.errors import NotPermitted, SandboxIdTaken
from coral_gate.interfaces import ISandboxStore
from coral_gate.model import Role
from coral_gate.records import AsGate, Capacity
from tests.stores.contract import BECAUSE, NOW, OPERATOR, StoreContract, a_sandbox, as_admin, as_user, box_id, later

THE_GATE = AsGate(Capacity.SANDBOXES)
DAY_S = 86400


class SandboxStoreContract(StoreContract):
    """What every `ISandboxStore` keeps."""

    def test_provides(self) -> None:
        """It has every method of the interface, with its arguments."""
        verifyObject(ISandboxStore, self.stores.sandboxes)

    def test_found(self) -> None:
        """A sandbox is found by its owner, administrators and the gate; another user finds what they would of a made-up id."""
        ann, bob, root = self.person("ann"), self.person("bob"), self.person("root", Role.ADMINISTRATOR)
        box = self.ask(self.stores.sandboxes.put(as_user(ann), a_sandbox(ann, "b")))
        self.assertEqual(a_sandbox(ann, "b"), box)
        for by in (as_user(ann), as_admin(root), THE_GATE, OPERATOR):
            self.assertEqual(box, self.ask(self.stores.sandboxes.find(by, box.id)))
        for by in (as_user(bob), AsGate(Capacity.SESSIONS), AsGate(Capacity.SIGN_IN)):
            self.assertIsNone(self.ask(self.stores.sandboxes.find(by, box.id)))
            self.assertEqual((), self.ask(self.stores.sandboxes.list(by, ann.id)))
        self.assertIsNone(self.ask(self.stores.sandboxes.find(as_user(ann), box_id("z"))))

    def test_list(self) -> None:
        """An owner's sandboxes are listed oldest first; tombstones on their own."""
        ann, bob = self.person("ann"), self.person("bob")
        new, old, gone = (a_sandbox(ann, letter, later(at)) for letter, at in (("b", 3), ("c", 1), ("d", 2)))
        for box in (new, old, gone, a_sandbox(bob, "e")):
            self.ask(self.stores.sandboxes.put(THE_GATE, box))
        self.ask(self.stores.sandboxes.tombstone(THE_GATE, gone.id, BECAUSE))
        self.assertEqual((old, new), self.ask(self.stores.sandboxes.list(as_user(ann), ann.id)))
        tombstone = evolve(gone, state="destroyed", destroyed_at=NOW)
        self.assertEqual((tombstone,), self.ask(self.stores.sandboxes.list(as_user(ann), ann.id, destroyed=True)))

    def test_changed(self) -> None:
        """Name and state change; owner, driver and creation stay whatever the new value says."""
        ann = self.person("ann")
        box = self.ask(self.stores.sandboxes.put(as_user(ann), a_sandbox(ann, "b")))
        changed = evolve(box, name="Renamed", state="running", driver="qemu", created_at=later(99))
        kept = self.ask(self.stores.sandboxes.put(as_user(ann), changed))
        self.assertEqual(evolve(box, name="Renamed", state="running"), kept)
        self.assertEqual(kept, self.ask(self.stores.sandboxes.find(as_user(ann), box.id)))

    def test_owner(self) -> None:
        """Nobody keeps a sandbox for another user, nor takes another's id, nor the gate its owner away."""
        ann, bob = self.person("ann"), self.person("bob")
        box = self.ask(self.stores.sandboxes.put(as_user(ann), a_sandbox(ann, "b")))
        self.refused(NotPermitted, self.stores.sandboxes.put(as_user(bob), a_sandbox(ann, "c")))
        self.refused(NotPermitted, self.stores.sandboxes.put(as_user(bob), evolve(box, name="Mine")))
        self.refused(SandboxIdTaken, self.stores.sandboxes.put(as_user(bob), a_sandbox(bob, "b")))
        self.refused(SandboxIdTaken, self.stores.sandboxes.put(THE_GATE, a_sandbox(bob, "b")))
        self.refused(NotPermitted, self.stores.sandboxes.put(AsGate(Capacity.SESSIONS), a_sandbox(bob, "d")))
        self.assertEqual(box, self.ask(self.stores.sandboxes.find(OPERATOR, box.id)))
        self.assertEqual((), self.ask(self.stores.sandboxes.list(OPERATOR, bob.id)))

    def test_tombstone(self) -> None:
        """A destroyed sandbox leaves a tombstone and a revocation, once; its id is not used again."""
        ann, bob = self.person("ann"), self.person("bob")
        box = self.ask(self.stores.sandboxes.put(as_user(ann), a_sandbox(ann, "b")))
        self.assertFalse(self.ask(self.stores.sandboxes.tombstone(as_user(bob), box.id, BECAUSE)))
        self.assertTrue(self.ask(self.stores.sandboxes.tombstone(as_user(ann), box.id, BECAUSE)))
        self.assertFalse(self.ask(self.stores.sandboxes.tombstone(as_user(ann), box.id, BECAUSE)))
        found = self.ask(self.stores.sandboxes.find(as_user(ann), box.id))
        self.assertEqual(evolve(box, state="destroyed", destroyed_at=NOW), found)
        self.assertEqual([("sandbox", box.id)], self.news())
        for by, owner in ((as_user(ann), ann), (as_user(bob), bob), (THE_GATE, ann)):
            self.refused(SandboxIdTaken, self.stores.sandboxes.put(by, a_sandbox(owner, "b")))

    def test_put_makes_no_tombstone(self) -> None:
        """A sandbox is destroyed by `tombstone` alone, not by a value that says so."""
        ann = self.person("ann")
        kept = self.ask(self.stores.sandboxes.put(as_user(ann), evolve(a_sandbox(ann, "b"), destroyed_at=NOW)))
        self.assertIsNone(kept.destroyed_at)

    def test_lock(self) -> None:
        """A lock and its end each commit a revocation, of the lock with the words for the owner; saying it again commits none."""
        ann, root = self.person("ann"), self.person("root", Role.ADMINISTRATOR)
        box = self.ask(self.stores.sandboxes.put(as_user(ann), a_sandbox(ann, "b")))
        for by in (OPERATOR, as_admin(root)):
            for why in ("Too loud.", "Too loud.", "Still too loud.", None, None):
                after = evolve(box, locked=why)
                self.assertEqual(after, self.ask(self.stores.sandboxes.lock(by, box.id, why, BECAUSE)))
                self.assertEqual(after, self.ask(self.stores.sandboxes.find(as_user(ann), box.id)))
        told = self.ask(self.stores.revocations.since(0)) or ()
        once = [("lock", "Too loud."), ("lock", "Still too loud."), ("unlock", BECAUSE.reason)]
        self.assertEqual(once * 2, [(one.kind.value, one.reason) for one in told])
        self.assertEqual({(box.id, ann.id)}, {(one.subject, one.user) for one in told})

    def test_who_locks(self) -> None:
        """Neither the owner nor the gate by itself locks or unlocks, and no change of the row loosens a lock."""
        ann, bob = self.person("ann"), self.person("bob")
        box = self.ask(self.stores.sandboxes.put(as_user(ann), evolve(a_sandbox(ann, "b"), locked="no words of the owner's")))
        self.assertIsNone(box.locked)
        self.ask(self.stores.sandboxes.lock(OPERATOR, box.id, "Too loud.", BECAUSE))
        for by in (as_user(ann), as_user(bob), as_admin(bob), THE_GATE, AsGate(Capacity.SESSIONS)):
            for why in ("words", None):
                self.refused(NotPermitted, self.stores.sandboxes.lock(by, box.id, why, BECAUSE))
        kept = self.ask(self.stores.sandboxes.put(as_user(ann), evolve(box, name="Renamed", state="running")))
        self.assertEqual(("Renamed", "Too loud."), (kept.name, kept.locked))
        self.assertEqual([("lock", box.id)], self.news())

    def test_what_is_locked(self) -> None:
        """What is not there, or not any more, is not locked, and words that are none or too many lock nothing."""
        ann = self.person("ann")
        box = self.ask(self.stores.sandboxes.put(as_user(ann), a_sandbox(ann, "b")))
        for why in ("", "x" * 201, "a\nb"):
            self.refused(ValueError, self.stores.sandboxes.lock(OPERATOR, box.id, why, BECAUSE))
        self.ask(self.stores.sandboxes.tombstone(as_user(ann), box.id, BECAUSE))
        for gone in (box.id, box_id("z")):
            self.assertIsNone(self.ask(self.stores.sandboxes.lock(OPERATOR, gone, "why", BECAUSE)))
        self.assertEqual([("sandbox", box.id)], self.news())

    def test_purge(self) -> None:
        """Tombstones are kept for 400 days; what lives is never purged."""
        ann = self.person("ann")
        for letter in ("b", "c"):
            self.ask(self.stores.sandboxes.put(as_user(ann), a_sandbox(ann, letter)))
        self.ask(self.stores.sandboxes.tombstone(as_user(ann), box_id("b"), BECAUSE))
        self.assertEqual(0, self.ask(self.stores.sandboxes.purge(later(400 * DAY_S))))
        self.assertEqual(1, self.ask(self.stores.sandboxes.purge(later(400 * DAY_S + 1))))
        self.assertIsNone(self.ask(self.stores.sandboxes.find(OPERATOR, box_id("b"))))
        self.assertIsNotNone(self.ask(self.stores.sandboxes.find(OPERATOR, box_id("c"))))
