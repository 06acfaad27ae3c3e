"""
Keyrings: master keys held in memory, and used only to wrap users' data keys.

A keyring that cannot be used refuses everything and says why; the daemon stays up and is not ready.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from attrs import define, field
from zope.interface import implementer

from coral_gate.custody.budget import SealBudget
from coral_gate.custody.envelope import KEY_BYTES, NONCE_BYTES, Binding, open_sealed, seal, stated_key_version
from coral_gate.custody.masterkeys import MasterKeys
from coral_gate.errors import KeysUnavailable
from coral_gate.interfaces import IKeyring
from coral_gate.model import KeyCondition, KeyState, Secret

Entropy = Callable[[int], bytes]
"""Gives that many unpredictable bytes; `os.urandom` but in tests."""

NO_KEY: Final = KeyState(KeyCondition.MISSING, "No master key has been read yet.")


@define
class HeldVersions:
    """Master keys in use, by version, and how often each may still seal."""

    _keys: MasterKeys
    _entropy: Entropy
    _budgets: dict[int, SealBudget] = field(factory=dict)

    @property
    def current(self) -> int:
        """The version that seals."""
        return self._keys.current

    @property
    def numbers(self) -> frozenset[int]:
        """The versions there are."""
        return frozenset(self._keys.keys)

    def seal(self, clear: Secret, binding: Binding, version: int) -> bytes:
        """
        Seal under one of the versions.

        :raises KeyWornOut: it sealed as often as it may.
        """
        self._budgets.setdefault(version, SealBudget()).spend()
        return seal(self._keys.keys[version], version, clear, binding, self._entropy(NONCE_BYTES))

    def open(self, sealed: bytes, binding: Binding) -> Secret:
        """
        Open under the version in the value's head.

        :raises KeysUnavailable: that version is not here.
        :raises SealBroken: it does not open.
        """
        version = stated_key_version(sealed)
        if version not in self._keys.keys:
            raise KeysUnavailable
        return open_sealed(self._keys.keys[version], version, sealed, binding)

    def succeeded_by(self, keys: MasterKeys) -> HeldVersions:
        """Other keys in their place; a version that stays keeps its budget."""
        return HeldVersions(keys, self._entropy, self._budgets)


def _holder(holder: str, version: int) -> Binding:
    return Binding("userkeys", holder, "key", None, version)


@implementer(IKeyring)
class HeldKeyring:
    """What every keyring does that holds its keys in memory."""

    def __init__(self) -> None:
        self._versions: HeldVersions | None = None
        self._state = NO_KEY

    def state(self) -> KeyState:
        """See `IKeyring.state`."""
        return self._state

    def current(self) -> int:
        """See `IKeyring.current`."""
        return self._usable().current

    async def wrap(self, key: Secret, holder: str, version: int) -> bytes:
        """See `IKeyring.wrap`."""
        versions = self._usable()
        return versions.seal(key, _holder(holder, version), versions.current)

    async def unwrap(self, wrapped: bytes, holder: str, version: int) -> Secret:
        """See `IKeyring.unwrap`."""
        return self._usable().open(wrapped, _holder(holder, version))

    def wrapped_under(self, wrapped: bytes) -> int:
        """See `IKeyring.wrapped_under`."""
        return stated_key_version(wrapped)

    def _usable(self) -> HeldVersions:
        if self._versions is None:
            raise KeysUnavailable
        return self._versions

    def use(self, versions: HeldVersions) -> None:
        """Put keys into use."""
        self._versions = versions
        self._state = KeyState(KeyCondition.OK, f"The master key is in use, version {versions.current}.")

    def refuse(self, state: KeyState) -> None:
        """Take the keys out of use. Their memory is freed; Python cannot promise that it is overwritten."""
        self._versions = None
        self._state = state


class MemoryKeyring(HeldKeyring):
    """Master keys that live and die with the process: for tests, and for trying out."""

    def __init__(self, entropy: Entropy = os.urandom) -> None:
        super().__init__()
        self._entropy = entropy
        self._all: dict[int, Secret] = {}
        self.rotate()

    def rotate(self) -> int:
        """Make a new version current, and give its number; the older ones still open."""
        version = len(self._all) + 1
        self._all[version] = Secret(self._entropy(KEY_BYTES))
        keys = MasterKeys(version, dict(self._all))
        self.use(self._versions.succeeded_by(keys) if self._versions else HeldVersions(keys, self._entropy))
        return version


@implementer(IKeyring)
class RefusingKeyring:
    """A keyring that refuses everything, as any other does whose keys are missing, wrong or lost."""

    def __init__(self, state: KeyState = NO_KEY) -> None:
        if state.ready:
            raise ValueError("a keyring that refuses is not ready")
        self._state = state

    def state(self) -> KeyState:
        """See `IKeyring.state`."""
        return self._state

    def current(self) -> int:
        """See `IKeyring.current`."""
        raise KeysUnavailable

    async def wrap(self, key: Secret, holder: str, version: int) -> bytes:
        """See `IKeyring.wrap`."""
        raise KeysUnavailable

    async def unwrap(self, wrapped: bytes, holder: str, version: int) -> Secret:
        """See `IKeyring.unwrap`."""
        raise KeysUnavailable

    def wrapped_under(self, wrapped: bytes) -> int:
        """See `IKeyring.wrapped_under`."""
        return stated_key_version(wrapped)
