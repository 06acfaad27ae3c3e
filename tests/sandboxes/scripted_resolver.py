"""A name service that answers from a script."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IHostnameResolver, IHostResolution, IResolutionReceiver
from zope.interface import implementer


@implementer(IHostResolution)
class Resolution:
    """A look-up; Twisted's own cannot be cancelled either, unless `cancellable`."""

    def __init__(self, name: str, cancellable: bool) -> None:
        self.name = name
        self.cancelled = False
        self._cancellable = cancellable

    def cancel(self) -> None:
        if not self._cancellable:
            raise NotImplementedError
        self.cancelled = True


@implementer(IHostnameResolver)
class ScriptedResolver:
    """
    Answers with the next list of addresses each time it is asked.

    :ivar late: the receivers of look-ups for which no answer was left; a test answers them, or not.
    """

    def __init__(self, *answers: list[IAddress], cancellable: bool = False) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.late: list[IResolutionReceiver] = []
        self.resolutions: list[Resolution] = []
        self._cancellable = cancellable

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,  # as the interface has it
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        self.asked.append(hostName)
        self.resolutions.append(Resolution(hostName, self._cancellable))
        resolutionReceiver.resolutionBegan(self.resolutions[-1])
        if self.answers:
            self.answer(resolutionReceiver, self.answers.pop(0))
        else:
            self.late.append(resolutionReceiver)
        return self.resolutions[-1]

    def answer(self, receiver: IResolutionReceiver, addresses: list[IAddress]) -> None:
        """Give all addresses and finish."""
        for address in addresses:
            receiver.addressResolved(address)
        receiver.resolutionComplete()
