"""
Master keys from outside our own files, checked before they are used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Protocol

from zope.interface import implementer

from coral_gate.custody.envelope import KEY_BYTES, Binding, stated_key_version
from coral_gate.custody.keyring import Entropy, HeldKeyring, HeldVersions
from coral_gate.custody.masterkeys import MasterKeys, UnfitMasterKey, parse_master_keys
from coral_gate.custody.threads import InThread
from coral_gate.errors import ConfigError, Problem, SealBroken
from coral_gate.interfaces import IKeyring
from coral_gate.model import KeyCondition, KeyState, Secret


class MasterChecks(Protocol):
    """Where check values are kept: for each version, something that only the right key opens."""

    def read_all(self) -> dict[int, bytes]:
        """Every check value, by version."""

    def write(self, version: int, sealed: bytes) -> None:
        """Keep one, on stable storage."""


@implementer(IKeyring)
class SourceKeyring(HeldKeyring):
    """
    Master keys from an operator's source: a file, a variable, a command or a systemd credential.

    The first time that a version is seen, a check value is sealed under it and kept; from then on a different key of
    that version is recognised as wrong, before anything is lost to it.

    :param label: of the source, for operators: `file:/etc/...`; no secret.
    :param read: reads the source anew; raises OSError, ValueError or ConfigError where it cannot. It may block.
    """

    def __init__(
        self,
        label: str,
        read: Callable[[], Secret],
        checks: MasterChecks,
        in_thread: InThread,
        entropy: Entropy = os.urandom,
    ) -> None:
        super().__init__()
        self._label = label
        self._read = read
        self._checks = checks
        self._in_thread = in_thread
        self._entropy = entropy

    def start(self) -> None:
        """
        Read the source for the first time, while the daemon is being built; it blocks as the source does.

        A wrong key does not raise: the daemon comes up, and is not ready.

        :raises ConfigError: there is no source, or no master key in it.
        """
        try:
            keys = parse_master_keys(self._read())
        except (OSError, ValueError) as error:
            raise ConfigError((self._problem(error),)) from None
        self._apply(self._judge(keys))

    async def reload(self) -> KeyState:
        """
        Read the source again, and give the state after that.

        A source that cannot be read any more takes the keys out of use, until it can be read again.
        """
        self._apply(await self._in_thread(self._look))
        return self.state()

    def _look(self) -> HeldVersions | KeyState:
        try:
            return self._judge(parse_master_keys(self._read()))
        except (ConfigError, OSError, ValueError) as error:
            return KeyState(KeyCondition.LOST, f"The master key's source {self._label} cannot be used any more. {_reason(error)}")

    def _judge(self, keys: MasterKeys) -> HeldVersions | KeyState:
        """The keys, ready to use, or why they are not to be used."""
        versions = self._versions.succeeded_by(keys) if self._versions else HeldVersions(keys, self._entropy)
        try:
            wrong = self._wrong(versions)
        except OSError as error:
            wrong = f"The master key cannot be checked. {_reason(error)}"
        return KeyState(KeyCondition.WRONG, wrong) if wrong else versions

    def _wrong(self, versions: HeldVersions) -> str:
        """Why these keys are not those of before, or nothing; check values of new versions are written only then."""
        kept = self._checks.read_all()
        known = versions.numbers & kept.keys()
        if kept and not known:
            return f"The source {self._label} has none of the master key versions in use here: {_listed(kept)}."
        refused = [version for version in known if not _opens(versions, version, kept[version])]
        if refused:
            return f"The source {self._label} has another master key than the one used here before, version {_listed(refused)}."
        for version in sorted(versions.numbers - known):
            self._checks.write(version, versions.seal(Secret(bytes(KEY_BYTES)), _check(version), version))
        return ""

    def _apply(self, found: HeldVersions | KeyState) -> None:
        if isinstance(found, HeldVersions):
            self.use(found)
        else:
            self.refuse(found)

    def _problem(self, error: Exception) -> Problem:
        return Problem(
            where=self._label,
            key="",
            what=f"There is no master key that can be used. {_reason(error)}",
            hint="`coral-gate keys init FILE` makes one.",
        )


def _check(version: int) -> Binding:
    return Binding("keyring", str(version), "check", None, version)


def _opens(versions: HeldVersions, version: int, sealed: bytes) -> bool:
    try:
        return stated_key_version(sealed) == version and versions.open(sealed, _check(version)).reveal() == bytes(KEY_BYTES)
    except SealBroken:
        return False


def _listed(versions: Iterable[int]) -> str:
    return ", ".join(str(version) for version in sorted(versions))


def _reason(error: Exception) -> str:
    """Why a source could not be read; in its own words only where those are ours, since others might repeat what they read."""
    if isinstance(error, UnfitMasterKey):
        return str(error)
    if isinstance(error, ConfigError):
        return " ".join(problem.what for problem in error.problems)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}."
    return "It could not be read."
