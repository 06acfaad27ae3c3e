"""Asking the name service once, for all of its answers."""

from __future__ import annotations

from contextlib import suppress

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer


@implementer(IResolutionReceiver)
@define(eq=False)
class _Answers:
    _waiting: Deferred[list[IAddress]] | None = field(init=False)
    _found: list[IAddress] = field(factory=list, init=False)
    _resolution: IHostResolution | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._waiting = Deferred(self._cancelled)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        self._resolution = resolutionInProgress

    def addressResolved(self, address: IAddress) -> None:
        self._found.append(address)

    def resolutionComplete(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(self._found)

    def _cancelled(self, waiting: Deferred[list[IAddress]]) -> None:
        self._waiting = None
        if self._resolution is not None:
            # A look-up in a thread cannot be cancelled, and says so; its answer is dropped when it comes.
            with suppress(NotImplementedError):
                self._resolution.cancel()


def resolve(resolver: IHostnameResolver, name: str, port: int) -> Deferred[list[IAddress]]:
    """
    Every address that a name has now, in the name service's order; none where it has none.

    Cancelling the Deferred ends the wait at once, whether or not the resolver can be cancelled.
    """
    answers = _Answers()
    waiting = answers._waiting
    assert waiting is not None
    resolver.resolveHostName(answers, name, port)
    return waiting
