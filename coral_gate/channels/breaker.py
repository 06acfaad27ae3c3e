"""
What a sandbox has refused is not sent to it again and again: a service that counts wrong passwords locks its owner out.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field

from coral_gate.errors import Unavailable
from coral_gate.model import SandboxId, Secret

AGAIN_S = 60.0
"""After so long the same credential is tried once more; OpenClaw locks for five minutes after ten wrong ones."""

_MOST = 10_000


class CredentialRefused(Unavailable):
    """The sandbox does not accept the credential that the gate has for it; a changed one is tried at once."""

    sentence = "The sandbox does not accept the gate's credential; its operator has to rotate it."


@define(eq=False)
class Breaker:
    """
    Remembers, for each sandbox, which credential it refused and when; of the credential a keyed digest only.

    :param monotonic: seconds.
    """

    _monotonic: Callable[[], float]
    _key: bytes = field(factory=lambda: secrets.token_bytes(32), repr=False)
    _refused: OrderedDict[SandboxId, tuple[bytes, float]] = field(factory=OrderedDict, init=False, repr=False)

    def check(self, sandbox: SandboxId, credential: Secret) -> None:
        """
        Ask before a credential is sent.

        :raises CredentialRefused: the sandbox refused this very one a short while ago.
        """
        known = self._refused.get(sandbox)
        if known is None:
            return
        digest, until = known
        if self._monotonic() < until and hmac.compare_digest(digest, self._digest(credential)):
            raise CredentialRefused
        del self._refused[sandbox]

    def refused(self, sandbox: SandboxId, credential: Secret) -> None:
        """A sandbox has refused a credential."""
        self._refused[sandbox] = (self._digest(credential), self._monotonic() + AGAIN_S)
        self._refused.move_to_end(sandbox)
        if len(self._refused) > _MOST:
            self._refused.popitem(last=False)

    def forget(self, sandbox: SandboxId) -> None:
        """A sandbox was told a credential: whatever it refused, it may take now."""
        self._refused.pop(sandbox, None)

    def _digest(self, credential: Secret) -> bytes:
        return hmac.digest(self._key, credential.reveal(), hashlib.sha256)
