"""
The store of users' data keys: a file for each user, apart from the database, so that destroying one leaves no copy in a dump.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Final, TypeVar

from attrs import define, field, frozen
from twisted.logger import Logger
from zope.interface import implementer

from coral_gate.audit.events import KeyChanged
from coral_gate.custody import durable
from coral_gate.custody.envelope import KEY_BYTES
from coral_gate.custody.escrowfolder import EscrowFolder
from coral_gate.custody.folder import Files
from coral_gate.custody.keyring import Entropy
from coral_gate.custody.subkeys import subkey
from coral_gate.custody.threads import InThread
from coral_gate.custody.wrappedkey import WrappedKey, holder_name
from coral_gate.errors import KeysUnavailable, NoUserKey, SealBroken
from coral_gate.interfaces import IAuditSink, IKeyring, IUserKeys
from coral_gate.model import KeyPurpose, Secret, UserId, UserKey

T = TypeVar("T")

_HOLDER: Final = re.compile(r"[0-9a-f]{64}\Z")
_FIRST_VERSION: Final = 1
_TRIES: Final = 5


@frozen
class Rewrapped:
    """
    What rewrapping came to.

    :ivar done: keys that are now under the current master key and were not.
    :ivar left: keys that are not, since they do not open.
    """

    done: int
    left: int


@implementer(IUserKeys)
@define
class FolderUserKeys:
    """
    Users' data keys in a private folder.

    Several processes of one machine may share the folder: whatever changes it holds its lock.

    :param escrow: where a destroyed key's copy goes, or None for no copy.
    """

    _files: Files
    _keyring: IKeyring
    _in_thread: InThread
    _audit: IAuditSink
    _escrow: EscrowFolder | None = None
    _entropy: Entropy = os.urandom
    _log: Logger = field(factory=Logger, init=False, repr=False)

    def start(self) -> None:
        """
        Finish what a crash interrupted; call it once before the daemon serves, it blocks.

        :raises OSError: the folder cannot be used.
        """
        with self._files.locked():
            durable.recover(self._files)
        if self._escrow:
            self._escrow.start()

    async def ensure(self, owner: UserId) -> None:
        """See `IUserKeys.ensure`."""
        holder = holder_name(owner)
        if await self._read(holder) is not None:
            return
        wrapped = await self._keyring.wrap(Secret(self._entropy(KEY_BYTES)), holder, _FIRST_VERSION)
        content = WrappedKey(_FIRST_VERSION, wrapped).encode()
        await self._audit.record(KeyChanged(key="user", change="created", user=owner, version=_FIRST_VERSION))
        # If another process was quicker, its key stands and ours is forgotten.
        await self._work(lambda: self._replace(holder, None, content))

    async def subkey(self, owner: UserId, purpose: KeyPurpose) -> UserKey:
        """See `IUserKeys.subkey`."""
        holder = holder_name(owner)
        content = await self._read(holder)
        if content is None:
            raise NoUserKey
        version, key = await self._unwrap(holder, content)
        return UserKey(version, subkey(key, purpose))

    async def destroy(self, owner: UserId, by: UserId | None = None) -> bool:
        """See `IUserKeys.destroy`."""
        holder = holder_name(owner)
        for _ in range(_TRIES):
            content = await self._read(holder)
            if content is None:
                return False
            copy = await self._escrow_copy(owner, holder, content)
            await self._audit.record(KeyChanged(who=by, key="user", change="destroyed", user=owner, version=_version(content)))
            if await self._work(lambda: self._destroy(holder, content, copy)):  # noqa: B023 - awaited within the turn
                return True
        raise KeysUnavailable

    async def rewrap(self) -> Rewrapped:
        """
        Bring every key under the current master key, so that older versions can be retired when none is left.

        :raises KeysUnavailable: the master keys or the folder cannot be used.
        """
        done = left = 0
        for holder in await self._work(self._files.names):
            if not _HOLDER.match(holder):
                continue
            try:
                done += await self._rewrap(holder)
            except (SealBroken, KeysUnavailable) as fault:
                if not self._keyring.state().ready:
                    raise
                left += 1
                self._log.error("The data key {holder} does not open: {kind}", holder=holder, kind=type(fault).__name__)
        return Rewrapped(done, left)

    async def restore(self, owner: UserId, version: int, key: Secret, by: UserId | None = None) -> bool:
        """
        Put back a destroyed key that was opened from escrow. False if the user has a key, which then stays.

        :raises KeysUnavailable: the master keys or the folder cannot be used.
        """
        holder = holder_name(owner)
        content = WrappedKey(version, await self._keyring.wrap(key, holder, version)).encode()
        await self._audit.record(KeyChanged(who=by, key="user", change="restored", user=owner, version=version))
        return await self._work(lambda: self._replace(holder, None, content))

    async def purge_escrow(self) -> int:
        """Destroy the escrow copies whose time is over, and count them; call it at least daily."""
        return 0 if self._escrow is None else await self._work(self._escrow.purge)

    async def versions(self) -> dict[int, int]:
        """
        How many keys are wrapped under each version of the master key; under 0 those that are beyond reading.

        :raises KeysUnavailable: the folder cannot be used.
        """
        counted: dict[int, int] = {}
        for holder in await self._work(self._files.names):
            if _HOLDER.match(holder):
                version = self._wrapped_under(await self._read(holder) or b"")
                counted[version] = counted.get(version, 0) + 1
        return counted

    def _wrapped_under(self, content: bytes) -> int:
        try:
            return self._keyring.wrapped_under(WrappedKey.decode(content).wrapped)
        except SealBroken:
            return 0

    async def _rewrap(self, holder: str) -> bool:
        content = await self._read(holder)
        if content is None:
            return False
        version, key = await self._unwrap(holder, content)
        if self._wrapped_under(content) == self._keyring.current():
            return False
        new = WrappedKey(version, await self._keyring.wrap(key, holder, version)).encode()
        return await self._work(lambda: self._replace(holder, content, new))

    async def _unwrap(self, holder: str, content: bytes) -> tuple[int, Secret]:
        kept = WrappedKey.decode(content)
        return kept.version, await self._keyring.unwrap(kept.wrapped, holder, kept.version)

    async def _escrow_copy(self, owner: UserId, holder: str, content: bytes) -> bytes | None:
        if self._escrow is None:
            return None
        try:
            version, key = await self._unwrap(holder, content)
        except SealBroken:
            return None  # no one could open it, so there is nothing to keep
        return self._escrow.seal(owner, version, key)

    def _destroy(self, holder: str, seen: bytes, copy: bytes | None) -> bool:
        """Whether the key that was seen is gone; False if another has taken its place meanwhile."""
        with self._files.locked():
            if self._files.read(holder) != seen:
                return False
            if self._escrow is not None and copy is not None:
                self._escrow.keep(holder, copy)
            durable.shred(self._files, holder)
        return True

    def _replace(self, holder: str, seen: bytes | None, content: bytes) -> bool:
        with self._files.locked():
            if self._files.read(holder) != seen:
                return False
            durable.write(self._files, holder, content)
        return True

    async def _read(self, holder: str) -> bytes | None:
        return await self._work(lambda: self._files.read(holder))

    async def _work(self, work: Callable[[], T]) -> T:
        try:
            return await self._in_thread(work)
        except OSError as error:
            self._log.error("The folder of data keys cannot be used: {reason}", reason=error.strerror or type(error).__name__)
            raise KeysUnavailable from error


def _version(content: bytes) -> int:
    """The data key's version for the record; 0 where the file is beyond reading."""
    try:
        return WrappedKey.decode(content).version
    except SealBroken:
        return 0
