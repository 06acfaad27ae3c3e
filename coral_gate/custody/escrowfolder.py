"""
Escrow copies, kept for seven days.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from attrs import define
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from coral_gate.custody import durable
from coral_gate.custody.envelope import NONCE_BYTES
from coral_gate.custody.escrow import EscrowedKey, seal_for_operator
from coral_gate.custody.folder import Files
from coral_gate.custody.keyring import Entropy
from coral_gate.model import Secret, UserId

KEPT: Final = timedelta(days=7)
_NAME: Final = re.compile(r"[0-9a-f]{64}-([0-9]{1,12})\Z")


@define
class EscrowFolder:
    """
    A folder of escrow copies, each named after its holder and the second of destruction.

    :param operator: the key that can open them, whose private half is not here.
    :param now: gives aware UTC times.
    """

    _files: Files
    _operator: X25519PublicKey
    _now: Callable[[], datetime]
    _entropy: Entropy = os.urandom

    def start(self) -> None:
        """
        Finish what a crash interrupted.

        :raises OSError: the folder cannot be used.
        """
        with self._files.locked():
            durable.recover(self._files)

    def seal(self, owner: UserId, version: int, key: Secret) -> bytes:
        """Make a copy of a key that is about to be destroyed."""
        ephemeral = X25519PrivateKey.from_private_bytes(self._entropy(32))
        escrowed = EscrowedKey(owner, version, key, self._now())
        return seal_for_operator(escrowed, self._operator, ephemeral, self._entropy(NONCE_BYTES))

    def keep(self, holder: str, copy: bytes) -> None:
        """
        Put a copy on stable storage.

        :raises OSError: it is not there.
        """
        with self._files.locked():
            durable.write(self._files, f"{holder}-{int(self._now().timestamp())}", copy)

    def purge(self) -> int:
        """
        Destroy the copies that were kept long enough, and count them.

        :raises OSError: the folder cannot be used.
        """
        with self._files.locked():
            due = [name for name in self._files.names() if self._is_due(name)]
            for name in due:
                durable.shred(self._files, name)
        return len(due)

    def _is_due(self, name: str) -> bool:
        match = _NAME.match(name)
        return match is not None and self._now().timestamp() >= int(match[1]) + KEPT.total_seconds()
