"""
The vault: credentials of sandboxes, sealed at rest, each opened for exactly the sandbox that it belongs to.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import Final

from attrs import define, frozen
from zope.interface import implementer

from coral_gate.audit.events import CredentialChanged, CredentialOpened, CredentialRefused
from coral_gate.custody.budget import KeyWornOut
from coral_gate.custody.envelope import NONCE_BYTES, Binding, open_sealed, seal
from coral_gate.custody.generate import new_credential
from coral_gate.custody.keyring import Entropy
from coral_gate.custody.opened import OpenedSecrets
from coral_gate.errors import ClientFault, Conflict, KeysUnavailable, NoUserKey, SealBroken
from coral_gate.interfaces import IAuditSink, ICredentials, ICredentialStore, IKeyring, IUserKeys
from coral_gate.model import KeyPurpose, SandboxId, SealedCredential, Secret, ServiceName, UserId

LEAST_BYTES: Final = 8
"""A shorter one would be guessed, and could not be looked for in what a sandbox sends without finding it everywhere."""

MOST_BYTES: Final = 16_384

_MOST_VERSIONS: Final = 2**28
"""Versions count a row's seals: sixteen rows of one owner together stay within what one key may seal."""


class UnfitCredential(ClientFault):
    """A credential is too short or too long."""

    sentence = f"A credential has {LEAST_BYTES} to {MOST_BYTES} bytes."


@frozen
class CredentialSummary:
    """
    What may be shown of a credential.

    :ivar changed_at: aware, UTC.
    """

    service: ServiceName
    version: int
    changed_at: datetime


def _binding(owner: UserId, sandbox: SandboxId, service: ServiceName, version: int) -> Binding:
    return Binding("credentials", f"{sandbox}/{service.value}", "sealed", owner, version)


@implementer(ICredentials)
@define
class CredentialVault:
    """
    Sets, rotates, lists and opens credentials. Every opening and every change is recorded before it takes effect.

    What was opened is kept for at most a minute in this process. A change made by another process counts here from
    `drop` on, which whoever hears of it calls, or after that minute.

    :param now: gives aware UTC times.
    """

    _store: ICredentialStore
    _keys: IUserKeys
    _keyring: IKeyring
    _audit: IAuditSink
    _opened: OpenedSecrets
    _now: Callable[[], datetime]
    _entropy: Entropy = os.urandom

    async def open(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        """See `ICredentials.open`."""
        if not self._keyring.state().ready:
            raise KeysUnavailable
        return await self._opened.get((owner, sandbox, service), lambda: self._open(owner, sandbox, service))

    def kept(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        """See `ICredentials.kept`."""
        return self._opened.kept((owner, sandbox, service)) if self._keyring.state().ready else None

    def drop(self, sandbox: SandboxId) -> None:
        """See `ICredentials.drop`."""
        self._opened.drop(sandbox)

    def drop_all(self) -> None:
        """See `ICredentials.drop_all`."""
        self._opened.drop_all()

    async def set(self, owner: UserId, sandbox: SandboxId, service: ServiceName, value: Secret, by: UserId | None = None) -> int:
        """
        Seal a credential in the place of the one there is, if any, and give its version.

        :param by: who asked for it; None is the daemon itself.
        :raises UnfitCredential: it has fewer than 8 bytes, or more than 16 KiB.
        :raises Conflict: it was changed by somebody else at the same time, or the sandbox is another owner's; it is as it was.
        :raises KeysUnavailable: nothing can be sealed.
        :raises KeyWornOut: it was changed so often that the owner's key may seal no more.
        :raises AuditUnavailable: it could not be recorded, and was not changed.
        """
        if not LEAST_BYTES <= len(value.reveal()) <= MOST_BYTES:
            raise UnfitCredential
        before = await self._store.find(owner, sandbox, service)
        version = 1 if before is None else before.version + 1
        if version > _MOST_VERSIONS:
            raise KeyWornOut
        after = await self._seal(owner, sandbox, service, version, value)
        await self._record_change(after, "created" if before is None else "rotated", by)
        try:
            written = await self._store.put(after, None if before is None else before.version)
        finally:
            self._opened.drop(sandbox)  # whatever became of it
        if not written:
            raise Conflict
        return after.version

    async def rotate(self, owner: UserId, sandbox: SandboxId, service: ServiceName, by: UserId | None = None) -> Secret:
        """
        Set a new random credential, of the kind that the service takes, and give it, so that the sandbox can be told.

        :raises Conflict: as `set`, as is everything else that it raises.
        """
        value = new_credential(service, self._entropy)
        await self.set(owner, sandbox, service, value, by)
        return value

    async def list(self, owner: UserId, sandbox: SandboxId) -> tuple[CredentialSummary, ...]:
        """Which credentials a sandbox has; opens none."""
        rows = await self._store.list(owner, sandbox)
        return tuple(CredentialSummary(row.service, row.version, row.changed_at) for row in rows)

    async def destroy(self, owner: UserId, sandbox: SandboxId, by: UserId | None = None) -> None:
        """
        Delete a sandbox's credentials.

        :raises AuditUnavailable: it could not be recorded; those not recorded are still there.
        """
        try:
            for row in await self._store.list(owner, sandbox):
                await self._record_change(row, "destroyed", by)
                await self._store.delete(owner, sandbox, row.service)
        finally:
            self._opened.drop(sandbox)

    async def _open(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        row = await self._store.find(owner, sandbox, service)
        if row is None:
            return None
        try:
            key = await self._keys.subkey(owner, KeyPurpose.VALUES)
            # The place is the one that was asked for, whatever the row says of itself.
            secret = open_sealed(key.key, key.version, row.sealed, _binding(owner, sandbox, service, row.version))
        except (SealBroken, NoUserKey) as fault:
            reason = "no_key" if isinstance(fault, NoUserKey) else "seal_broken"
            await self._audit.record(CredentialRefused(who=owner, sandbox=sandbox, credential=service.value, reason=reason))
            raise
        await self._audit.record(CredentialOpened(who=owner, sandbox=sandbox, credential=service.value, version=row.version))
        return secret

    async def _seal(self, owner: UserId, sandbox: SandboxId, service: ServiceName, version: int, value: Secret) -> SealedCredential:
        await self._keys.ensure(owner)
        key = await self._keys.subkey(owner, KeyPurpose.VALUES)
        place = _binding(owner, sandbox, service, version)
        sealed = seal(key.key, key.version, value, place, self._entropy(NONCE_BYTES))
        return SealedCredential(sandbox, service, owner, version, sealed, self._now())

    async def _record_change(self, row: SealedCredential, change: str, by: UserId | None) -> None:
        event = CredentialChanged(who=by, sandbox=row.sandbox, credential=row.service.value, change=change, version=row.version)
        await self._audit.record(event)
