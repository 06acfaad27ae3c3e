"""
The seams: what each room asks of the others.

Everything that acts sits behind one of these; each has an in-memory provider that ships with the package and passes
the same contract suite as every other provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProtocol, IProtocolFactory

    from coral_gate.model import SandboxId, ServiceName

# -- sandboxes ---------------------------------------------------------------------------------------------------------


class ILink(Interface):
    """How the gate reaches one service of one sandbox: it gives a stream, never an address."""

    label = Attribute("str: shown to operators (`tcp`, `tls`, `unix`, ...); holds no address and no secret.")
    plaintext = Attribute("bool: bytes leave this machine unencrypted; a warning goes wherever the link is shown.")

    async def connect(factory: IProtocolFactory) -> IProtocol:
        """
        Open a stream and give it to a protocol that `factory` builds.

        The caller sets the deadline by cancelling; a cancelled attempt leaves nothing open.

        :raises UpstreamUnreachable: no stream could be opened, or what answered is not who it must be.
        """


class ISandboxDriver(Interface):
    """Makes sandboxes, and reaches their services."""

    def link(sandbox: SandboxId, service: ServiceName) -> ILink | None:
        """The link to a service, or None where the sandbox or the service is not known here."""
