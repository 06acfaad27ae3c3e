"""Custody as the configuration says it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.task import Clock

from coral_gate.audit.sinks import MemorySink
from coral_gate.config.secret_sources import SecretSource
from coral_gate.config.sections.keys import KeysConfig
from coral_gate.custody.configured import NOT_CONFIGURED, Custody, custody
from coral_gate.custody.masterkeys import MasterKeys, show_master_keys
from coral_gate.custody.sourcekeyring import SourceKeyring
from coral_gate.custody.threads import at_once
from coral_gate.errors import ConfigError, KeysUnavailable
from coral_gate.model import KeyCondition, SandboxId, Secret, ServiceName, UserId
from coral_gate.stores.memory_credentials import MemoryCredentialStore
from tests.custody import contract

USERS = [UserId("https://id.example", f"user-{number}") for number in range(20)]
A = SandboxId("a" * 26)
APP = ServiceName.APP
KEYS = {version: Secret(os.urandom(32)) for version in range(1, 6)}
VALUE = Secret(b"some-secret")


class ConfiguredTests(contract.Case):
    """`custody`, on a folder of its own."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(mode=0o700)
        self.now = datetime(2026, 5, 4, tzinfo=UTC)
        self.store = MemoryCredentialStore()
        (self.folder / "public.pem").write_bytes(
            X25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        master = SecretSource("file", "master.key", self.folder, "gate.toml:1", "keys.master")
        self.config = KeysConfig(master=master, folder=self.folder / "keys", escrow=self.folder / "public.pem")
        self.hold(1)

    def hold(self, *versions: int) -> None:
        """Put these versions into the master key's file, the first of them current."""
        path = self.folder / "master.key"
        path.write_bytes(show_master_keys(MasterKeys(versions[0], {version: KEYS[version] for version in versions})).reveal())
        path.chmod(0o600)

    def made(self, config: KeysConfig | None = None) -> Custody:
        return custody(config or self.config, self.store, MemorySink(), Clock(), at_once, lambda: self.now)

    def opened(self) -> Custody:
        made = self.made()
        made.open()
        self.addCleanup(made.close)
        return made

    def test_not_configured(self) -> None:
        """Without a master key the daemon starts, opens no folder, and refuses with the reason."""
        made = self.made(KeysConfig(folder=self.folder / "keys"))
        made.open()
        self.assertEqual(made.keyring.state(), NOT_CONFIGURED)
        self.refused(made.vault.open(USERS[0], A, APP), KeysUnavailable)
        self.do(made.upkeep())
        made.close()
        self.assertFalse((self.folder / "keys").exists())

    def test_nothing_before_open(self) -> None:
        """Building opens nothing, so that a daemon may change its process and user first."""
        made = self.made()
        self.assertEqual(sorted(os.listdir(self.folder)), ["master.key", "public.pem"])
        self.assertEqual(made.keyring.state().condition, KeyCondition.MISSING)
        self.refused(made.vault.set(USERS[0], A, APP, VALUE), KeysUnavailable)

    def test_open(self) -> None:
        """Opened, it sets and opens credentials; opened again later, it still does."""
        made = self.opened()
        self.do(made.vault.set(USERS[0], A, APP, VALUE))
        made.close()
        secret = self.do(self.opened().vault.open(USERS[0], A, APP))
        assert secret is not None
        self.assertEqual(secret.reveal(), VALUE.reveal())

    def test_missing(self) -> None:
        """A master key that is named and missing does not let the daemon start."""
        (self.folder / "master.key").unlink()
        self.assertIn("keys.master", str(self.assertRaises(ConfigError, self.made().open)))

    def test_wrong(self) -> None:
        """A wrong one lets it start, and is the reason for everything that is refused."""
        self.opened().close()
        (self.folder / "master.key").write_bytes(os.urandom(32).hex().encode())
        made = self.opened()
        self.assertEqual(made.keyring.state().condition, KeyCondition.WRONG)
        self.refused(made.vault.set(USERS[0], A, APP, VALUE), KeysUnavailable)

    def test_folder(self) -> None:
        """A folder that others can enter, or that cannot be made, does not let it start."""
        (self.folder / "keys").mkdir(mode=0o700)
        (self.folder / "keys").chmod(0o711)
        self.assertIn("keys.folder: The folder", str(self.assertRaises(ConfigError, self.made().open)))
        made = self.made(evolve(self.config, folder=self.folder / "deep" / "keys"))
        self.assertIn("keys.folder: The folder", str(self.assertRaises(ConfigError, made.open)))

    def test_upkeep(self) -> None:
        """Upkeep brings keys under the current master key, and destroys escrow copies after their time."""
        made = self.opened()
        for user in USERS[:3]:
            self.do(made.user_keys.ensure(user))
        self.do(made.user_keys.destroy(USERS[2]))
        self.hold(2, 1)
        assert isinstance(made.keyring, SourceKeyring)
        self.do(made.keyring.reload())
        self.do(made.upkeep())
        self.assertEqual(self.do(made.user_keys.versions()), {2: 2})
        copies = [name for name in os.listdir(self.folder / "keys" / "escrow") if name != ".lock"]
        self.assertEqual(len(copies), 1)
        self.now += timedelta(days=7)
        self.do(made.upkeep())
        self.assertEqual([name for name in os.listdir(self.folder / "keys" / "escrow") if name != ".lock"], [])

    def test_rotation_under_load(self) -> None:
        """While master keys are rotated and retired, everyone who asks gets their credential, every time."""
        made = self.opened()
        keyring = made.keyring
        assert isinstance(keyring, SourceKeyring)
        boxes = {user: SandboxId(letter * 26) for user, letter in zip(USERS, "abcdefghijklmnopqrst", strict=True)}
        for user, box in boxes.items():
            self.do(made.vault.set(user, box, APP, Secret(f"secret-of-{user.sub}".encode())))

        def everyone() -> None:
            made.vault.drop_all()
            for user, box in boxes.items():
                secret = self.do(made.vault.open(user, box, APP))
                assert secret is not None
                self.assertEqual(secret.reveal(), f"secret-of-{user.sub}".encode())

        for version in range(2, 6):
            for versions in ((version - 1, version), (version, version - 1)):
                self.hold(*versions)
                self.assertTrue(self.do(keyring.reload()).ready)
                everyone()
            self.do(made.upkeep())
            everyone()
            self.assertEqual(self.do(made.user_keys.versions()), {version: 20})
            self.hold(version)
            self.assertTrue(self.do(keyring.reload()).ready)
            everyone()
