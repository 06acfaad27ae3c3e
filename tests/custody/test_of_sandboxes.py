"""Credentials by sandbox."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.custody.memory_credentials import MemoryCredentials
from coral_gate.custody.of_sandboxes import NoCredential, SandboxCredentials
from coral_gate.model import SandboxId, Secret, ServiceName, UserId

OWNER, OTHER = UserId("https://issuer.example", "1"), UserId("https://issuer.example", "2")
MINE = SandboxId("a" * 26)


class OfSandboxTests(SynchronousTestCase):
    """The vault is asked as the owner that the sandbox's row names."""

    def setUp(self) -> None:
        """One sandbox of one owner."""
        self.vault = MemoryCredentials()
        self.owners: dict[SandboxId, UserId] = {MINE: OWNER}
        self.asked = 0
        self.credentials = SandboxCredentials(self.vault, self.owner_of)

    async def owner_of(self, sandbox: SandboxId) -> UserId | None:
        """Whose it is."""
        self.asked += 1
        return self.owners.get(sandbox)

    def opened(self, sandbox: SandboxId = MINE) -> bytes:
        """Open the app's credential."""
        return self.successResultOf(Deferred.fromCoroutine(self.credentials.open(sandbox, ServiceName.APP))).reveal()

    def refused(self, sandbox: SandboxId = MINE) -> None:
        """Nothing can be opened."""
        self.failureResultOf(Deferred.fromCoroutine(self.credentials.open(sandbox, ServiceName.APP)), NoCredential)

    def test_opens_as_the_owner(self) -> None:
        """The owner's credential is given; one of the same sandbox under another owner never is."""
        self.vault.put(OTHER, MINE, ServiceName.APP, Secret(b"of another"))
        self.refused()
        self.vault.put(OWNER, MINE, ServiceName.APP, Secret(b"of the owner"))
        self.assertEqual(self.opened(), b"of the owner")

    def test_no_owner(self) -> None:
        """Of a sandbox that nobody knows there is none."""
        self.owners.clear()
        self.refused()

    def test_kept(self) -> None:
        """Nothing is kept before the first opening and after a drop; in between the owner is not looked up again."""
        self.vault.put(OWNER, MINE, ServiceName.APP, Secret(b"of the owner"))
        self.assertIsNone(self.credentials.kept(MINE, ServiceName.APP))
        self.opened()
        self.assertIsNotNone(self.credentials.kept(MINE, ServiceName.APP))
        self.assertEqual(self.asked, 1)
        self.credentials.drop(MINE)
        self.assertIsNone(self.credentials.kept(MINE, ServiceName.APP))
        self.assertEqual(self.vault.dropped, [MINE])
        self.opened()
        self.credentials.drop_all()
        self.assertIsNone(self.credentials.kept(MINE, ServiceName.APP))
