"""
Custody as the configuration says it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from twisted.internet.interfaces import IReactorTime

from coral_gate.config.sections.keys import KeysConfig
from coral_gate.custody.checkvalues import FolderChecks
from coral_gate.custody.credentials import CredentialVault
from coral_gate.custody.escrow import read_public_key
from coral_gate.custody.escrowfolder import EscrowFolder
from coral_gate.custody.folder import PrivateFolder, UnfitFolder
from coral_gate.custody.keyring import RefusingKeyring
from coral_gate.custody.opened import OpenedSecrets
from coral_gate.custody.sourcekeyring import SourceKeyring
from coral_gate.custody.threads import InThread
from coral_gate.custody.userkeys import FolderUserKeys
from coral_gate.errors import ConfigError, Problem
from coral_gate.interfaces import IAuditSink, ICredentialStore
from coral_gate.model import KeyCondition, KeyState

NOT_CONFIGURED = KeyState(KeyCondition.MISSING, "The configuration names no master key: [keys] has no master.")


@frozen
class Custody:
    """
    Everything that keeps secrets, wired. Built with the daemon; opened when it has its final process and user.

    :ivar keyring: the master keys; one that refuses where the configuration names none.
    """

    keyring: SourceKeyring | RefusingKeyring
    user_keys: FolderUserKeys
    vault: CredentialVault
    _folders: tuple[PrivateFolder, ...]

    def open(self) -> None:
        """
        Open the folders, finish what a crash interrupted, and read the master key; it blocks.

        A master key that is wrong does not raise: `keyring.state()` says so, and everything is refused.

        :raises ConfigError: a folder cannot be used, or there is no master key where one is named.
        """
        if isinstance(self.keyring, RefusingKeyring):
            return
        for folder in self._folders:
            _ready(folder.path, folder.open)
        self.keyring.start()
        _ready(self._folders[0].path, self.user_keys.start)

    def close(self) -> None:
        """Forget what was opened, and let go of the folders."""
        self.vault.drop_all()
        for folder in self._folders:
            folder.close()

    async def upkeep(self) -> None:
        """
        Bring users' keys under the current master key, and destroy escrow copies whose time is over.

        Call it after the start, after each `SourceKeyring.reload`, and daily.

        :raises KeysUnavailable: the master keys or a folder cannot be used; try again later.
        """
        if isinstance(self.keyring, SourceKeyring):
            await self.user_keys.rewrap()
            await self.user_keys.purge_escrow()


def custody(
    config: KeysConfig,
    store: ICredentialStore,
    audit: IAuditSink,
    clock: IReactorTime,
    in_thread: InThread,
    now: Callable[[], datetime],
) -> Custody:
    """
    Wire custody; opens nothing but the operator's public key.

    :param config: with an absolute `folder`.
    :param in_thread: where files are read and written, and the master key's source is read again.
    :param now: gives aware UTC times.
    :raises ConfigError: the operator's public key cannot be used.
    """
    users, copies = PrivateFolder(config.folder), PrivateFolder(config.folder / "escrow")
    escrow = None if config.escrow is None else EscrowFolder(copies, read_operator_key(config.escrow), now)
    keyring: SourceKeyring | RefusingKeyring = RefusingKeyring(NOT_CONFIGURED)
    if config.master is not None:
        keyring = SourceKeyring(config.master.label, config.master.read, FolderChecks(users), in_thread)
    user_keys = FolderUserKeys(users, keyring, in_thread, audit, escrow)
    vault = CredentialVault(store, user_keys, keyring, audit, OpenedSecrets(clock), now)
    return Custody(keyring, user_keys, vault, (users,) if escrow is None else (users, copies))


def read_operator_key(path: Path) -> X25519PublicKey:
    """
    Read the operator's public key from its file.

    :raises ConfigError: it is none.
    """
    try:
        return read_public_key(path.read_bytes())
    except OSError as error:
        raise _problem(path, "keys.escrow", f"The operator's public key cannot be read: {error.strerror}.") from None
    except ValueError as error:
        hint = "`coral-gate keys escrow-init` makes a pair; here belongs the public one."
        raise _problem(path, "keys.escrow", str(error), hint) from None


def _ready(path: Path, step: Callable[[], None]) -> None:
    try:
        step()
    except UnfitFolder as error:
        raise _problem(path, "keys.folder", str(error)) from None
    except OSError as error:
        raise _problem(path, "keys.folder", f"The folder of users' keys cannot be used: {error.strerror}.") from None


def _problem(path: Path, key: str, what: str, hint: str = "") -> ConfigError:
    return ConfigError((Problem(where=str(path), key=key, what=what, hint=hint),))
