"""
Sandboxes that are no more: their hosts answer that they are gone, and clear what a browser kept of them.

An id is never used again, and neither must anything be that a dead sandbox left in a browser, such as a service worker.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field

from coral_gate.interfaces import ISandboxStore
from coral_gate.model import SandboxId
from coral_gate.records import AsGate, Capacity

_KEPT = 4096
_KEPT_S = 60.0


@define(eq=False)
class Tombstones:
    """
    Knows which sandboxes are destroyed.

    :param monotonic: seconds, for how long an answer is kept: a minute.
    """

    sandboxes: ISandboxStore
    monotonic: Callable[[], float]
    _answers: OrderedDict[SandboxId, tuple[bool, float]] = field(factory=OrderedDict, init=False, repr=False)

    async def holds(self, sandbox: SandboxId) -> bool:
        """
        Whether a sandbox is destroyed: from memory, or from the store.

        :raises Unavailable: the store cannot say.
        """
        answer = self._answers.get(sandbox)
        if answer is not None and self.monotonic() - answer[1] < _KEPT_S:
            return answer[0]
        row = await self.sandboxes.find(AsGate(Capacity.SANDBOXES), sandbox)
        gone = row is not None and row.destroyed_at is not None
        self._answers[sandbox] = (gone, self.monotonic())
        self._answers.move_to_end(sandbox)
        while len(self._answers) > _KEPT:
            self._answers.popitem(last=False)
        return gone
