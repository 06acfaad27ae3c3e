"""The vault."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from coral_gate.audit.event import Event
from coral_gate.audit.events import CredentialChanged, CredentialOpened, CredentialRefused
from coral_gate.audit.sinks import MemorySink, RefusingSink
from coral_gate.custody.budget import KeyWornOut
from coral_gate.custody.credentials import MOST_BYTES, CredentialSummary, CredentialVault, UnfitCredential
from coral_gate.custody.keyring import MemoryKeyring
from coral_gate.custody.memory_credentials import MemoryCredentials, RefusingCredentials
from coral_gate.custody.memory_files import MemoryFiles
from coral_gate.custody.opened import OpenedSecrets
from coral_gate.custody.threads import at_once
from coral_gate.custody.userkeys import FolderUserKeys
from coral_gate.errors import AuditUnavailable, Conflict, KeysUnavailable, NoUserKey, SealBroken
from coral_gate.interfaces import IAuditSink, ICredentials, ICredentialStore
from coral_gate.model import KeyCondition, KeyState, SandboxId, SealedCredential, Secret, ServiceName, UserId
from coral_gate.stores.memory_credentials import MemoryCredentialStore
from tests.custody import contract

ALICE, BOB, ADMIN = (UserId("https://id.example", name) for name in ("alice", "bob", "admin"))
A, B = SandboxId("a" * 26), SandboxId("b" * 26)
APP, SSH, VNC = ServiceName.APP, ServiceName.SSH, ServiceName.VNC
WHEN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
FIRST, SECOND = Secret(b"first-secret"), Secret(b"second-secret")


class VaultCase(contract.Case):
    """A vault with everything around it in memory."""

    def setUp(self) -> None:
        self.clock, self.now = Clock(), WHEN
        self.store, self.keyring, self.audit = MemoryCredentialStore(), MemoryKeyring(), MemorySink()
        self.keys = FolderUserKeys(MemoryFiles(), self.keyring, at_once, self.audit)
        self.vault = self.make_vault()

    def make_vault(self, store: ICredentialStore | None = None, audit: IAuditSink | None = None) -> CredentialVault:
        opened = OpenedSecrets(self.clock)
        return CredentialVault(store or self.store, self.keys, self.keyring, audit or self.audit, opened, lambda: self.now)

    def set(self, value: Secret = FIRST, sandbox: SandboxId = A, service: ServiceName = APP, owner: UserId = ALICE) -> int:
        return self.do(self.vault.set(owner, sandbox, service, value))

    def opened(self, sandbox: SandboxId = A, service: ServiceName = APP, owner: UserId = ALICE) -> bytes | None:
        secret = self.do(self.vault.open(owner, sandbox, service))
        return None if secret is None else secret.reveal()

    def row(self, sandbox: SandboxId = A, service: ServiceName = APP) -> SealedCredential:
        return self.store._rows[sandbox, service]

    def put_row(self, row: SealedCredential) -> None:
        self.store._rows[row.sandbox, row.service] = row

    def events(self, *kinds: type[Event]) -> list[Event]:
        return [event for event in self.audit.events if isinstance(event, kinds)]


class VaultTests(VaultCase):
    """`CredentialVault`."""

    def test_interface(self) -> None:
        """The vault, and what stands for it in tests, are `ICredentials`."""
        for credentials in (self.vault, MemoryCredentials(), RefusingCredentials()):
            self.assertTrue(verifyObject(ICredentials, credentials))

    def test_set_and_open(self) -> None:
        """What is set is what is opened, for its owner, sandbox and service alone."""
        self.assertIs(self.opened(), None)
        self.assertEqual(self.set(), 1)
        self.assertEqual(self.opened(), b"first-secret")
        self.assertEqual((self.opened(B), self.opened(A, VNC), self.opened(owner=BOB)), (None, None, None))

    def test_sealed_at_rest(self) -> None:
        """What is stored holds the version and the time, and nothing of the value."""
        self.set()
        row = self.row()
        self.assertEqual((row.owner, row.version, row.changed_at), (ALICE, 1, WHEN))
        self.assertNotIn(b"secret", row.sealed)

    def test_set_again(self) -> None:
        """A credential that is set again counts at once, also where the old one was opened just before."""
        self.set()
        self.opened()
        self.assertEqual(self.set(SECOND), 2)
        self.assertEqual(self.opened(), b"second-secret")

    def test_rotate(self) -> None:
        """Rotating makes a new random password, gives it once, and counts at once."""
        self.set()
        self.opened()
        made = self.do(self.vault.rotate(ALICE, A, APP)).reveal()
        self.assertRegex(made.decode(), "^[A-Za-z0-9]{43}$")
        self.assertEqual(self.opened(), made)
        self.assertIn(b"OPENSSH PRIVATE KEY", self.do(self.vault.rotate(ALICE, A, SSH)).reveal())

    def test_bounds(self) -> None:
        """Too short, too long and too often are refused, and change nothing."""
        for value in (b"", b"1234567", bytes(MOST_BYTES + 1)):
            self.refused(self.vault.set(ALICE, A, APP, Secret(value)), UnfitCredential)
        self.assertEqual((self.do(self.vault.list(ALICE, A)), self.audit.events), ((), []))
        self.set(Secret(b"12345678"))
        self.set(Secret(bytes(MOST_BYTES)))
        self.put_row(evolve(self.row(), version=2**28))
        self.refused(self.vault.set(ALICE, A, APP, FIRST), KeyWornOut)

    def test_list(self) -> None:
        """The list says what there is, in order, and opens nothing."""
        self.set(service=VNC)
        self.now += timedelta(hours=1)
        self.set()
        self.set(SECOND)
        expected = (CredentialSummary(APP, 2, self.now), CredentialSummary(VNC, 1, WHEN))
        self.assertEqual(self.do(self.vault.list(ALICE, A)), expected)
        self.assertEqual(self.do(self.vault.list(BOB, A)), ())
        self.assertEqual(self.events(CredentialOpened), [])

    def test_destroy(self) -> None:
        """A destroyed sandbox's credentials are gone at once, those of others stay."""
        for sandbox, service in ((A, APP), (A, VNC), (B, APP)):
            self.set(FIRST, sandbox, service)
            self.opened(sandbox, service)
        self.do(self.vault.destroy(ALICE, A, by=ADMIN))
        self.assertEqual((self.opened(A), self.opened(A, VNC), self.opened(B)), (None, None, b"first-secret"))
        destroyed = [event for event in self.events(CredentialChanged) if event.who == ADMIN]
        self.assertEqual([event.change for event in destroyed if isinstance(event, CredentialChanged)], ["destroyed", "destroyed"])

    def test_another_owner(self) -> None:
        """Nobody can set a credential of a sandbox that has one of another owner's."""
        self.set()
        self.refused(self.vault.set(BOB, A, APP, SECOND), Conflict)
        self.assertEqual(self.opened(), b"first-secret")

    def test_at_the_same_time(self) -> None:
        """Of two changes at the same time one is made, and the other is told so."""
        self.set()
        store = HeldStore(self.store)
        vault = self.make_vault(store)
        first, second = (Deferred.fromCoroutine(vault.set(ALICE, A, APP, value)) for value in (FIRST, SECOND))
        while store.held:
            store.go()
        self.assertEqual(self.successResultOf(first), 2)
        self.failureResultOf(second, Conflict)
        self.assertEqual(self.opened(), b"first-secret")


class RecordTests(VaultCase):
    """What is recorded, and that it is recorded first."""

    def test_changes(self) -> None:
        """Setting, rotating and opening are recorded with who, which and what version; using what is open is not."""
        self.do(self.vault.set(ALICE, A, APP, FIRST, by=ADMIN))
        self.do(self.vault.rotate(ALICE, A, APP))
        self.opened()
        self.opened()
        self.assertEqual(
            self.events(CredentialChanged, CredentialOpened),
            [
                CredentialChanged(who=ADMIN, sandbox=A, credential="app", change="created", version=1),
                CredentialChanged(sandbox=A, credential="app", change="rotated", version=2),
                CredentialOpened(who=ALICE, sandbox=A, credential="app", version=2),
            ],
        )
        self.clock.advance(60)
        self.opened()
        self.assertEqual(len(self.events(CredentialOpened)), 2)

    def test_not_recorded_not_done(self) -> None:
        """What cannot be recorded does not happen."""
        self.set()
        vault = self.make_vault(audit=RefusingSink())
        before = self.row()
        self.refused(vault.open(ALICE, A, APP), AuditUnavailable)
        self.refused(vault.set(ALICE, A, APP, SECOND), AuditUnavailable)
        self.refused(vault.rotate(ALICE, A, APP), AuditUnavailable)
        self.refused(vault.destroy(ALICE, A), AuditUnavailable)
        self.assertEqual(self.row(), before)

    def test_recorded_first(self) -> None:
        """The record of a change is there before the row is, and that of an opening before the secret."""
        self.set()
        order: list[str] = []
        store = HeldStore(self.store, order)

        class Ordered(MemorySink):
            async def record(sink, event: Event) -> None:
                order.append(event.type)
                await super().record(event)

        vault = self.make_vault(store, Ordered())
        opening = Deferred.fromCoroutine(vault.open(ALICE, A, APP)).addCallback(lambda _: order.append("given"))
        store.go()
        setting = Deferred.fromCoroutine(vault.set(ALICE, A, APP, SECOND))
        store.go()
        store.go()
        self.successResultOf(opening)
        self.successResultOf(setting)
        self.assertEqual(order, ["find", "credential.opened", "given", "find", "credential.changed", "put"])

    def test_refusals(self) -> None:
        """A credential that does not open is recorded as refused, with why."""
        self.set()
        good = self.row()
        self.put_row(evolve(good, sealed=good.sealed[:-1] + bytes((good.sealed[-1] ^ 1,))))
        self.refused(self.vault.open(ALICE, A, APP), SealBroken)
        self.put_row(good)
        self.do(self.keys.destroy(ALICE))
        self.refused(self.vault.open(ALICE, A, APP), NoUserKey)
        self.assertEqual(
            self.events(CredentialRefused, CredentialOpened),
            [CredentialRefused(who=ALICE, sandbox=A, credential="app", reason=reason) for reason in ("seal_broken", "no_key")],
        )


class KeptTests(VaultCase):
    """How long the vault keeps what it opened."""

    def test_a_minute(self) -> None:
        """What another process changed counts after a minute at the latest, or at once when it is dropped."""
        self.set()
        self.opened()
        other = self.make_vault()
        self.do(other.set(ALICE, A, APP, SECOND))
        self.clock.advance(59)
        self.assertEqual(self.opened(), b"first-secret")
        self.clock.advance(1)
        self.assertEqual(self.opened(), b"second-secret")
        self.do(other.set(ALICE, A, APP, FIRST))
        for drop, value in ((lambda: self.vault.drop(A), FIRST), (self.vault.drop_all, SECOND)):
            self.do(other.set(ALICE, A, APP, value))
            drop()
            self.assertEqual(self.opened(), value.reveal())

    def test_keys_lost(self) -> None:
        """When the master keys are lost, not even what was opened before is given."""
        self.set()
        self.opened()
        self.keyring.refuse(KeyState(KeyCondition.LOST, "Gone."))
        self.refused(self.vault.open(ALICE, A, APP), KeysUnavailable)
        self.refused(self.vault.set(ALICE, A, APP, SECOND), KeysUnavailable)

    def test_put_fails(self) -> None:
        """After a change that may or may not have been made, what was opened is dropped."""
        self.set()
        store = HeldStore(self.store)
        vault = self.make_vault(store)
        opening = Deferred.fromCoroutine(vault.open(ALICE, A, APP))
        store.go()
        self.successResultOf(opening)
        setting = Deferred.fromCoroutine(vault.set(ALICE, A, APP, SECOND))
        store.go()
        store.fail()
        self.failureResultOf(setting, ConnectionError)
        self.assertNoResult(Deferred.fromCoroutine(vault.open(ALICE, A, APP)))


class MixTests(VaultCase):
    """One sandbox's credential is never another's."""

    def test_moved_rows(self) -> None:
        """A sealed value in the place of another sandbox, service, owner or version does not open."""
        self.set()
        good = self.row()
        moved = (evolve(good, sandbox=B), evolve(good, service=VNC), evolve(good, owner=BOB, sandbox=B), evolve(good, version=2))
        self.do(self.keys.ensure(BOB))
        for row in moved:
            self.put_row(row)
            self.refused(self.vault.open(row.owner, row.sandbox, row.service), SealBroken)

    def test_lying_store(self) -> None:
        """A store that answers with another sandbox's row, whatever that row says of itself, opens nothing."""
        self.set(FIRST, A)
        self.set(SECOND, B)
        self.put_row(evolve(self.row(B), sandbox=A))
        self.store._rows[A, APP] = self.row(B)
        self.refused(self.vault.open(ALICE, A, APP), SealBroken)

    def test_brought_back(self) -> None:
        """An older value under the newer version's number does not open."""
        self.set()
        old = self.row()
        self.set(SECOND)
        self.put_row(evolve(self.row(), sealed=old.sealed))
        self.refused(self.vault.open(ALICE, A, APP), SealBroken)

    def test_interleavings(self) -> None:
        """Over 10,000 random steps nobody ever gets another sandbox's credential, nor one replaced before they asked."""
        chance = random.Random(20260504)
        for owners in ({A: ALICE, B: ALICE}, {A: ALICE, B: BOB}):
            Interleaving(self, chance, owners).run(5000)


@implementer(ICredentialStore)
@define
class HeldStore:
    """A store that answers when a test lets it, and then with what there was when it was let."""

    _store: MemoryCredentialStore
    order: list[str] | None = None
    held: list[Deferred[None]] = field(factory=list, init=False)

    async def put(self, row: SealedCredential, replaces: int | None) -> bool:
        await self._hold("put")
        return await self._store.put(row, replaces)

    async def find(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> SealedCredential | None:
        await self._hold("find")
        return await self._store.find(owner, sandbox, service)

    async def list(self, owner: UserId, sandbox: SandboxId) -> tuple[SealedCredential, ...]:
        await self._hold("list")
        return await self._store.list(owner, sandbox)

    async def delete(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> bool:
        await self._hold("delete")
        return await self._store.delete(owner, sandbox, service)

    def go(self, number: int = 0) -> None:
        self.held.pop(number).callback(None)

    def fail(self, number: int = 0) -> None:
        self.held.pop(number).errback(ConnectionError())

    async def _hold(self, what: str) -> None:
        if self.order is not None:
            self.order.append(what)
        answer: Deferred[None] = Deferred()
        self.held.append(answer)
        await answer


class Interleaving:
    """Two sandboxes, opened and changed and dropped in any order, over a store that answers in any order."""

    def __init__(self, case: MixTests, chance: random.Random, owners: dict[SandboxId, UserId]) -> None:
        self.case, self.chance, self.owners = case, chance, owners
        self.store = HeldStore(MemoryCredentialStore())
        self.vault = case.make_vault(self.store)
        self.settled: dict[SandboxId, int] = dict.fromkeys(owners, 0)
        self.versions: dict[int, int] = {}
        self.number = 0
        self.given = 0

    def run(self, steps: int) -> None:
        actions: list[Callable[[], None]] = [self.open, self.open, self.open, self.change, self.drop, self.wait]
        for _ in range(steps):
            if self.store.held and self.chance.random() < 0.6:
                self.store.go(self.chance.randrange(len(self.store.held)))
            else:
                self.chance.choice(actions)()
        self.case.assertGreater(self.given, steps // 20)

    def sandbox(self) -> SandboxId:
        return self.chance.choice(sorted(self.owners))

    def open(self) -> None:
        sandbox = self.sandbox()
        least = self.settled[sandbox]
        opened = Deferred.fromCoroutine(self.vault.open(self.owners[sandbox], sandbox, APP))
        opened.addCallbacks(lambda secret: self.check(sandbox, least, secret), lambda failure: failure.trap(Exception))

    def check(self, sandbox: SandboxId, least: int, secret: Secret | None) -> None:
        if secret is None:
            self.case.assertEqual(least, 0)
            return
        whose, number = secret.reveal().decode().split("-")
        self.case.assertEqual(whose, sandbox)
        self.case.assertGreaterEqual(self.versions[int(number)], least)
        self.given += 1

    def change(self) -> None:
        sandbox, self.number = self.sandbox(), self.number + 1
        number, value = self.number, Secret(f"{sandbox}-{self.number}".encode())
        setting = Deferred.fromCoroutine(self.vault.set(self.owners[sandbox], sandbox, APP, value))

        def changed(version: int) -> None:
            self.versions[number] = self.settled[sandbox] = version

        def refused(failure: Failure) -> None:
            failure.trap(Conflict)

        setting.addCallbacks(changed, refused)

    def drop(self) -> None:
        self.vault.drop(self.sandbox())

    def wait(self) -> None:
        self.case.clock.advance(self.chance.choice([1, 20, 60]))


class DoubleTests(contract.Case):
    """What stands for the vault in tests."""

    def test_memory(self) -> None:
        """It opens what was put there, and says what was dropped."""
        credentials = MemoryCredentials()
        credentials.put(ALICE, A, APP, FIRST)
        self.assertIs(self.do(credentials.open(ALICE, A, APP)), FIRST)
        self.assertIs(self.do(credentials.open(ALICE, B, APP)), None)
        credentials.drop(A)
        credentials.drop_all()
        self.assertEqual(credentials.dropped, [A, None])

    def test_refusing(self) -> None:
        """It opens nothing."""
        self.refused(RefusingCredentials().open(ALICE, A, APP), KeysUnavailable)
        RefusingCredentials().drop(A)
        RefusingCredentials().drop_all()


class EntropyTests(VaultCase):
    """Nonces."""

    def test_fresh(self) -> None:
        """Setting the same value again seals it anew."""
        seen = set()
        for _ in range(100):
            self.set()
            seen.add(self.row().sealed[6:18])
        self.assertEqual(len(seen), 100)
        self.assertEqual(len(os.urandom(12)), len(seen.pop()))
