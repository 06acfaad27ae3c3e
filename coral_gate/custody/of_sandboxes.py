"""
The credential of a sandbox, for whoever puts it on the wire: whose sandbox it is, is looked up here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from attrs import define, field

from coral_gate.errors import UpstreamFault
from coral_gate.interfaces import ICredentials
from coral_gate.model import SandboxId, Secret, ServiceName, UserId

_MOST: Final = 10_000
"""How many owners are remembered; the one that was asked for longest ago gives way."""


class NoCredential(UpstreamFault):
    """The gate has no credential for this service of the sandbox: `coral-gate credential set` gives it one."""

    sentence = "The gate has no credential for this sandbox yet; its operator has to set one."


@define(eq=False)
class SandboxCredentials:
    """
    Credentials by sandbox and service.

    :param owner_of: whose a sandbox is, as its row or the configuration says; None where it is not known.
    """

    _credentials: ICredentials
    _owner_of: Callable[[SandboxId], Awaitable[UserId | None]]
    _owners: OrderedDict[SandboxId, UserId] = field(factory=OrderedDict, init=False)

    def kept(self, sandbox: SandboxId, service: ServiceName) -> Secret | None:
        """The credential where it was opened a short while ago, else None: then `open` it."""
        owner = self._owners.get(sandbox)
        return None if owner is None else self._credentials.kept(owner, sandbox, service)

    async def open(self, sandbox: SandboxId, service: ServiceName) -> Secret:
        """
        The credential in the clear; reveal it where it goes on the wire, and keep it no longer.

        :raises NoCredential: none is set, or nobody knows the sandbox.
        :raises Fault: as `ICredentials.open`.
        """
        owner = await self._owner_of(sandbox)
        secret = None if owner is None else await self._credentials.open(owner, sandbox, service)
        if owner is None or secret is None:
            raise NoCredential
        self._owners[sandbox] = owner
        self._owners.move_to_end(sandbox)
        if len(self._owners) > _MOST:
            self._owners.popitem(last=False)
        return secret

    def drop(self, sandbox: SandboxId) -> None:
        """Forget what is kept of a sandbox: its credential changed, or it is locked or gone."""
        self._owners.pop(sandbox, None)
        self._credentials.drop(sandbox)

    def drop_all(self) -> None:
        """Forget everything."""
        self._owners.clear()
        self._credentials.drop_all()
