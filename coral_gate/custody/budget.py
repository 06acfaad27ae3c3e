"""
How often one key may seal.
"""

from __future__ import annotations

from typing import Final

from attrs import define

from coral_gate.errors import GateFault

MAX_SEALS: Final = 2**32
"""With random 96-bit nonces, a key may be used this often: a repeat is then less likely than 2**-32 (SP 800-38D §8.3)."""


class KeyWornOut(GateFault):
    """A key sealed as often as it safely may; it still opens. Make a newer version current."""


@define
class SealBudget:
    """
    Counts the seals of one key in this process, and ends them in time.

    The count starts at zero with the process: a key shared by many processes, or by many runs, is counted by each alone.
    """

    _left: int = MAX_SEALS

    def spend(self) -> None:
        """
        Take one seal; call it before sealing.

        :raises KeyWornOut: none is left.
        """
        if self._left <= 0:
            raise KeyWornOut
        self._left -= 1
