"""
People who came in by a list of the configuration and are on none any more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from attrs import define

from coral_gate.audit.events import SessionEnded
from coral_gate.gate.sessions import Sessions
from coral_gate.interfaces import IUserStore
from coral_gate.records import AsGate, Because, Capacity, User, UserRowId

REASON: Final = "You are on no list of people who may sign in any more."
"""What the person gets to read."""

_GATE: Final = AsGate(Capacity.SESSIONS)
_PAGE: Final = 200


@define(eq=False)
class LeftLists:
    """
    Ends what people have open who came in by a list and are on none any more.

    :param admitted: whether somebody may still be in.
    :param cut: cuts a user's streams, with the reason.
    """

    _users: IUserStore
    _sessions: Sessions
    _admitted: Callable[[User], bool]
    _cut: Callable[[UserRowId, str], object]

    async def end(self) -> int:
        """
        End their sessions and streams; gives how many people that were. Recorded before it happens.

        :raises Unavailable: not all could be ended; ask again.
        """
        ended, after = 0, None
        while True:
            page = await self._users.list(_GATE, after=after, most=_PAGE)
            for user in page:
                if not self._admitted(user):
                    ended += await self._end(user)
            if len(page) < _PAGE:
                return ended
            after = page[-1].id

    async def _end(self, user: User) -> bool:
        store = self._sessions.store
        if not await store.list(_GATE, user.id):
            return False
        await self._sessions.audit.record(SessionEnded(who=user.who, session="all", reason="left-lists"))
        ended = await store.end_all(_GATE, user.id, Because(REASON, datetime.fromtimestamp(self._sessions.now(), UTC)))
        self._cut(user.id, REASON)  # first, so that it is this reason that they read
        for session in ended:
            self._sessions.forget_session(session, REASON)
        return True
