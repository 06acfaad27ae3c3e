"""Finding the one person that a command's words name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coral_gate.checks import is_person
from coral_gate.model import UserId
from coral_gate.records import AsGate, Capacity, User

if TYPE_CHECKING:
    from coral_gate.interfaces import IUserStore

OPERATOR: Final = AsGate(Capacity.OPERATOR)
"""On whose behalf a command asks."""

_PAGE: Final = 500


class Wrong(Exception):
    """Something about the words, in a sentence."""


def known(users: IUserStore, issuer: str, subject: str) -> User:
    """
    The person with this issuer and subject.

    :raises Wrong: there is none.
    """
    from coral_gate.cli.finished import finished

    who = UserId(issuer, subject)
    user = finished(users.find(who)) if is_person(who) else None
    if user is None:
        raise Wrong("There is no such person; 'coral-gate user list' shows everybody.")
    return user


def everybody(users: IUserStore) -> list[User]:
    """Everybody who may sign in, in the order of their ids."""
    from coral_gate.cli.finished import finished

    found: list[User] = []
    while True:
        page = finished(users.list(OPERATOR, after=found[-1].id if found else None, most=_PAGE))
        found += page
        if len(page) < _PAGE:
            return found
