"""
The only wiring: a configuration becomes a service.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IDelayedCall, IProtocolFactory
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.web.server import Site

from coral_gate.channels.http import HTTPChannel
from coral_gate.channels.plan import Forwarding
from coral_gate.channels.portal import PortalChannel
from coral_gate.config import Config
from coral_gate.config.sections.listen import ListenConfig
from coral_gate.edge.deadlines import Deadlines
from coral_gate.edge.limits import ConnectionCaps
from coral_gate.edge.listener import Door, FrontFactory
from coral_gate.edge.tls import Certificates, TLSFrontFactory
from coral_gate.edge.upstream import UpstreamPool
from coral_gate.gate.judge import Judge
from coral_gate.gate.origins import Origins
from coral_gate.gate.routes import RouteTable
from coral_gate.http1.head import HeadLimits
from coral_gate.interfaces import ISandboxDriver
from coral_gate.model import Asker, ChannelKind
from coral_gate.operations.listening import Listener
from coral_gate.portal.site import build_site
from coral_gate.sandboxes.configured import static_driver
from coral_gate.sandboxes.memory import MemoryLink


@define(eq=False)
class Rooms:
    """
    What is built once and shared by every door: one judge, one pool, one set of channels.

    :ivar channels: what serves each kind of connection.
    """

    config: Config
    reactor: Any  # a Twisted reactor: it provides a dozen interfaces, and no type says which
    driver: ISandboxDriver
    site: Site = field(init=False)
    deadlines: Deadlines = field(init=False)
    pool: UpstreamPool = field(init=False)
    caps: ConnectionCaps = field(init=False)
    judge: Judge = field(init=False)
    channels: dict[ChannelKind, Forwarding] = field(init=False)
    doors: list[Door] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        config = self.config
        self.site = build_site(self.reactor)
        self.deadlines = Deadlines(self.reactor)
        self.pool = UpstreamPool(self.deadlines, config.limits)
        self.caps = ConnectionCaps(config.limits.connections, config.limits.connections_per_address)
        origins = Origins(config.gate.portal_origin.authority, config.gate.sandbox_site.authority)
        open_sandboxes = frozenset(sandbox.id for sandbox in config.sandboxes if sandbox.open)
        self.judge = Judge(origins, RouteTable(), frozenset(ChannelKind), open_sandboxes)
        self.channels = {
            ChannelKind.PORTAL: PortalChannel(MemoryLink(self.reactor, self.site)),
            ChannelKind.HTTP: HTTPChannel(self.driver, config.limits.body_bytes),
        }

    def factory(self, *channels: ChannelKind, tls: bool = False) -> FrontFactory:
        """
        A factory that serves these channels and no other; every factory shares the judge, the pool and the channels.

        :param tls: its connections are inside TLS (see `edge.tls.TLSFrontFactory`).
        """
        limits = self.config.limits
        door = Door(
            judge=self.judge.for_channels(frozenset(channels)),
            channels=self.channels,
            pool=self.pool,
            deadlines=self.deadlines,
            caps=self.caps,
            head_limits=HeadLimits(limits.head_bytes, limits.target_bytes, limits.fields),
            times=self.config.deadlines,
            refused=_log_refusal,
        )
        self.doors.append(door)
        return FrontFactory(door, tls)

    def cut(self) -> None:
        """Close every connection that is still open."""
        for door in self.doors:
            door.cut()


class Gateway(MultiService):
    """
    The daemon: every listener, and what they share.

    :ivar rooms: what they share.
    """

    _log = Logger()

    def __init__(self, rooms: Rooms) -> None:
        super().__init__()
        self.rooms = rooms
        self._limit: IDelayedCall | None = None

    def startService(self) -> None:
        """Start serving."""
        self.rooms.site.doStart()
        super().startService()
        gate = self.rooms.config.gate
        self._log.info("ready: portal {portal}, sandboxes below {site}", portal=str(gate.portal_origin), site=str(gate.sandbox_site))

    async def _stop(self, stopped: Deferred[object]) -> None:
        """Listen no more, let what is being served end until the deadline, then cut it."""
        rooms = self.rooms
        await stopped
        limit = rooms.reactor.callLater(rooms.config.deadlines.stop_s, rooms.cut)
        for door in rooms.doors:
            await door.leave()
        if limit.active():
            limit.cancel()
        rooms.pool.close()
        rooms.deadlines.stop()
        rooms.site.doStop()
        self._log.info("stopped")

    def stopService(self) -> Deferred[None]:
        """Stop serving; fires when the last connection is closed."""
        return Deferred.fromCoroutine(self._stop(super().stopService()))


def build_gateway(config: Config, reactor: Any) -> IService:
    """
    Build the daemon.

    :param reactor: a Twisted reactor; typed Any since no type names all that it provides.
    :raises ConfigError: what the configuration names cannot be used, e.g. a certificate's file.
    """
    gateway = Gateway(Rooms(config, reactor, static_driver(config, reactor)))
    certificates = Certificates(config.tls, "tls") if any(listen.tls for listen in config.listeners) else None
    for listen in config.listeners:
        _listener(gateway.rooms, listen, certificates).setServiceParent(gateway)
    return gateway


def _listener(rooms: Rooms, listen: ListenConfig, certificates: Certificates | None) -> Listener:
    front = rooms.factory(*listen.channels, tls=listen.tls)
    factory: ServerFactory | IProtocolFactory = TLSFrontFactory(certificates, front) if listen.tls and certificates else front
    return Listener(serverFromString(rooms.reactor, listen.endpoint), factory, listen.endpoint)


_log = Logger()


def _log_refusal(word: str, asker: Asker) -> None:
    _log.debug("refused {word} from {address}", word=word, address=asker.address)
