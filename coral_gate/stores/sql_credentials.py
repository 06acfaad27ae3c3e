"""
Sealed credentials in a database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from attrs import define
from zope.interface import implementer

from coral_gate.errors import Conflict
from coral_gate.interfaces import ICredentialStore
from coral_gate.model import SandboxId, SealedCredential, ServiceName, UserId, sandbox_id
from coral_gate.records import CREDENTIAL_CHANGED, CREDENTIAL_DELETED, AsOwner, Because, RevocationKind, owner_id
from coral_gate.stores.access import CREDENTIALS, owner_text
from coral_gate.stores.sql import Database, Row, Rows, decoded, first, insert, octets, select, text, whole
from coral_gate.stores.sql_ending import revoke
from coral_gate.stores.times import microseconds, moment

_ROW = select(CREDENTIALS)
_INSERT = insert(CREDENTIALS)
MAX_SEALED_BYTES = 65_536 + 34


@implementer(ICredentialStore)
@define
class SQLCredentialStore:
    """
    Sealed credentials in a database, each reached on behalf of its owner alone.

    :param now: aware, UTC; for what tells of a deletion.
    """

    _database: Database
    _now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def put(self, row: SealedCredential, replaces: int | None) -> bool:
        """See `ICredentialStore.put`."""
        _check(row)
        try:
            return await self._database.run(AsOwner(row.owner), lambda rows: _put(rows, row, replaces))
        except Conflict:
            return False  # another owner's row is there

    async def find(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> SealedCredential | None:
        """See `ICredentialStore.find`."""
        return await self._database.read(AsOwner(owner), lambda rows: _find(rows, sandbox, service))

    async def list(self, owner: UserId, sandbox: SandboxId) -> tuple[SealedCredential, ...]:
        """See `ICredentialStore.list`."""
        mine = f"{_ROW} WHERE sandbox = ? ORDER BY service"
        return await self._database.read(AsOwner(owner), lambda rows: decoded(_credential, rows.execute(mine, (sandbox,))))

    async def delete(self, owner: UserId, sandbox: SandboxId, service: ServiceName) -> bool:
        """See `ICredentialStore.delete`."""
        because = Because(CREDENTIAL_DELETED, self._now())
        return await self._database.run(AsOwner(owner), lambda rows: _delete(rows, owner, sandbox, service, because))


def _put(rows: Rows, row: SealedCredential, replaces: int | None) -> bool:
    stored = _find(rows, row.sandbox, row.service)
    if (None if stored is None else stored.version) != replaces:
        return False
    value = (row.version, row.sealed, microseconds(row.changed_at))
    if stored is None:
        rows.execute(_INSERT, (row.sandbox, row.service.value, owner_text(row.owner), *value))
    else:
        change = "UPDATE credentials SET version = ?, sealed = ?, changed_at = ? WHERE sandbox = ? AND service = ?"
        rows.execute(change, (*value, row.sandbox, row.service.value))
        revoke(rows, RevocationKind.CREDENTIAL, row.sandbox, owner_id(row.owner), Because(CREDENTIAL_CHANGED, row.changed_at))
    return True


def _find(rows: Rows, sandbox: SandboxId, service: ServiceName) -> SealedCredential | None:
    return first(_credential, rows.execute(f"{_ROW} WHERE sandbox = ? AND service = ?", (sandbox, service.value)))


def _delete(rows: Rows, owner: UserId, sandbox: SandboxId, service: ServiceName, because: Because) -> bool:
    there = _find(rows, sandbox, service) is not None
    if there:
        rows.execute("DELETE FROM credentials WHERE sandbox = ? AND service = ?", (sandbox, service.value))
        revoke(rows, RevocationKind.CREDENTIAL, sandbox, owner_id(owner), because)
    return there


def _check(row: SealedCredential) -> SealedCredential:
    """
    Take a row in or out.

    :raises ValueError: it is no row of a sealed credential.
    """
    sandbox_id(row.sandbox)
    if not 1 <= row.version < 2**63 or not 1 <= len(row.sealed) <= MAX_SEALED_BYTES:
        raise ValueError("a credential's version or sealed value is out of bounds")
    return row


def _credential(row: Row) -> SealedCredential:
    sandbox, service, owner, version, sealed, changed_at = row
    iss, sub = text(owner).split("\n")
    return _check(
        SealedCredential(
            sandbox=sandbox_id(text(sandbox)),
            service=ServiceName(service),
            owner=AsOwner(UserId(iss, sub)).who,
            version=whole(version),
            sealed=octets(sealed),
            changed_at=moment(changed_at),
        )
    )
