"""
The only wiring: a configuration becomes a service.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import define, evolve, field
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import ServerFactory
from twisted.logger import ILogObserver, Logger
from twisted.web.server import Site

from coral_gate import __version__
from coral_gate.audit.events import RequestRefused, UserChanged
from coral_gate.channels.http import HTTPChannel
from coral_gate.channels.plan import Forwarding
from coral_gate.channels.portal import PortalChannel
from coral_gate.config import Config
from coral_gate.config.sections.listen import ListenConfig
from coral_gate.custody.memory_credentials import RefusingCredentials
from coral_gate.custody.of_sandboxes import SandboxCredentials
from coral_gate.edge.deadlines import Deadlines
from coral_gate.edge.door import Door
from coral_gate.edge.limits import ConnectionCaps
from coral_gate.edge.listener import FrontFactory
from coral_gate.edge.pool import UpstreamPool
from coral_gate.edge.self_signed import self_signed
from coral_gate.edge.tls import Certificates, TLSFrontFactory
from coral_gate.errors import ConfigError
from coral_gate.gate.entrance import Entrance
from coral_gate.gate.handoff import Handoffs
from coral_gate.gate.judge import Judge
from coral_gate.gate.origins import Origins
from coral_gate.gate.routes import LOCAL_ISSUER, ROUTES, RouteTable
from coral_gate.gate.sessions import Sessions
from coral_gate.gate.tombstones import Tombstones
from coral_gate.gate.upkeep import Upkeep
from coral_gate.http1.head import HeadLimits
from coral_gate.identity.attempts import MemorySignInAttempts
from coral_gate.identity.configured import SigningIn, signing_in
from coral_gate.interfaces import IAuditSink, ICredentials, ISandboxDriver
from coral_gate.model import Asker, ChannelKind, Role, SandboxId, UserId
from coral_gate.operations.exits import give_up
from coral_gate.operations.listening import Listener
from coral_gate.operations.logs import log_observer
from coral_gate.portal.services import PortalServices, SandboxCard
from coral_gate.portal.site import build_site
from coral_gate.records import AsGate, AsUser, Capacity
from coral_gate.sandboxes.configured import static_driver
from coral_gate.sandboxes.memory import MemoryLink
from coral_gate.state import State
from coral_gate.stores.providers import Stores
from coral_gate.visitor import Visitor


@define(eq=False)
class Rooms:
    """
    What is built once and shared by every door: one judge, one set of sessions, one pool, one set of channels.

    :ivar failing: names what cannot be used now.
    :ivar vault: opens credentials.
    :ivar credentials: the same, by sandbox.
    :ivar channels: what serves each kind of connection.
    """

    config: Config
    reactor: Any  # a Twisted reactor: it provides a dozen interfaces, and no type says which
    driver: ISandboxDriver
    stores: Stores
    audit: IAuditSink
    signing_in: SigningIn
    failing: Callable[[], Collection[str]] = tuple
    vault: ICredentials = field(factory=RefusingCredentials)
    credentials: SandboxCredentials = field(init=False)
    sessions: Sessions = field(init=False)
    handoffs: Handoffs = field(init=False)
    site: Site = field(init=False)
    deadlines: Deadlines = field(init=False)
    pool: UpstreamPool = field(init=False)
    caps: ConnectionCaps = field(init=False)
    judge: Judge = field(init=False)
    upkeep: Upkeep = field(init=False)
    channels: dict[ChannelKind, Forwarding] = field(init=False)
    doors: list[Door] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        config, stores = self.config, self.stores
        self.credentials = SandboxCredentials(self.vault, self.owner_of)
        self.sessions = Sessions(stores.sessions, stores.users, self.audit, config.sessions, time.time, time.monotonic)
        self.handoffs = Handoffs(stores.handoffs, stores.sessions, self.audit, config.sessions, self.may_use, time.time)
        self.upkeep = Upkeep(stores.revocations, self.sessions, stores.handoffs, stores.sandboxes, self.reactor)
        self.site = build_site(self.reactor, self._portal_services())
        self.deadlines = Deadlines(self.reactor)
        self.pool = UpstreamPool(self.deadlines, config.limits)
        self.caps = ConnectionCaps(config.limits.connections, config.limits.connections_per_address)
        origins = Origins(config.gate.portal_origin.authority, config.gate.sandbox_site.authority)
        open_sandboxes = frozenset(sandbox.id for sandbox in config.sandboxes if sandbox.open)
        routes = RouteTable((*ROUTES, LOCAL_ISSUER)) if self.signing_in.local is not None else RouteTable()
        self.judge = Judge(
            origins, routes, self.sessions, Tombstones(stores.sandboxes, time.monotonic), frozenset(ChannelKind), open_sandboxes
        )
        self.channels = {
            ChannelKind.PORTAL: PortalChannel(MemoryLink(self.reactor, self.site)),
            ChannelKind.HTTP: HTTPChannel(self.driver, config.limits.body_bytes),
        }

    def _portal_services(self) -> PortalServices:
        entrance = Entrance(
            provider=self.signing_in.provider,
            attempts=MemorySignInAttempts(lambda: datetime.now(UTC)),
            users=self.stores.users,
            sessions=self.sessions,
            handoffs=self.handoffs,
            audit=self.audit,
            portal=str(self.config.gate.portal_origin),
            sandbox_origin=self.sandbox_origin,
            farewell_key=secrets.token_bytes(32),
            now=time.time,
        )
        respond = self.signing_in.local.respond if self.signing_in.local is not None else None
        return PortalServices(entrance, self.sessions, self._cards, entrance.portal, self.signing_in.issuer_name, respond, self.failing)

    def sandbox_origin(self, sandbox: SandboxId) -> str:
        """The origin of a sandbox, e.g. `https://<id>.sandboxes.example`."""
        return str(self.config.gate.sandbox_site.below(sandbox))

    async def may_use(self, visitor: Visitor, sandbox: SandboxId) -> bool:
        """Whether a sandbox is a visitor's own: by the configuration, or by its row."""
        if any(one.id == sandbox and one.owner is not None and one.owner.who == visitor.who for one in self.config.sandboxes):
            return True
        row = await self.stores.sandboxes.find(AsUser(visitor.user), sandbox)
        return row is not None and row.destroyed_at is None

    async def owner_of(self, sandbox: SandboxId) -> UserId | None:
        """Whose a sandbox is: by the configuration, or by its row; None for one that is not known or destroyed."""
        for one in self.config.sandboxes:
            if one.id == sandbox:
                return None if one.owner is None else one.owner.who
        row = await self.stores.sandboxes.find(AsGate(Capacity.SANDBOXES), sandbox)
        if row is None or row.destroyed_at is not None:
            return None
        user = await self.stores.users.get(AsGate(Capacity.SESSIONS), row.owner)
        return None if user is None else user.who

    async def _cards(self, visitor: Visitor) -> list[SandboxCard]:
        named = [(one.id, one.name) for one in self.config.sandboxes if one.owner is not None and one.owner.who == visitor.who]
        kept = [(row.id, row.name) for row in await self.stores.sandboxes.list(AsUser(visitor.user), visitor.user)]
        return [SandboxCard(sandbox, name, self.sandbox_origin(sandbox)) for sandbox, name in named + kept]

    def refused(self, word: str, asker: Asker) -> None:
        """Somebody was refused something: recorded where they are known, counted where they are not; never a reason to fail."""
        visitor = asker.visitor
        if visitor is None:
            self.audit.count_refused(RequestRefused, asker.address, word)
            return
        event = RequestRefused(who=visitor.who, address=asker.address, reason=word)
        recording = Deferred.fromCoroutine(self.audit.record(event))
        recording.addErrback(lambda _: self.audit.count_refused(RequestRefused, asker.address, word))

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
            refused=self.refused,
        )
        self.doors.append(door)
        return FrontFactory(door, tls)

    async def name_administrators(self) -> None:
        """Let the administrators of the configuration in, where they are not known yet."""
        for who in self.signing_in.administrators:
            if await self.stores.users.find(who) is None:
                await self.audit.record(UserChanged(user=who, change="allowed", to=Role.ADMINISTRATOR.value))
                await self.stores.users.allow(AsGate(Capacity.SIGN_IN), who, Role.ADMINISTRATOR, datetime.now(UTC))

    async def leave(self) -> None:
        """Take no further request at any door; returns when the last connection is closed."""
        leaving = [door.leave() for door in self.doors]  # all of them at once: one that is busy keeps no other from it
        for left in leaving:
            await left

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

    def __init__(self, rooms: Rooms, state: State) -> None:
        super().__init__()
        self.rooms = rooms
        self._state = state
        self._observer: ILogObserver | None = None

    def log_as(self, twistd: Mapping[str, Any]) -> None:
        """
        Log as the configuration says.

        :param twistd: the options that twistd was started with; where they say otherwise they win.
        """
        self._observer = log_observer(self.rooms.config.log, twistd)

    def setServiceParent(self, parent: Any) -> None:
        """Join twistd's application, which asks it for the log's observer before anything is logged."""
        if self._observer is not None and hasattr(parent, "setComponent"):
            parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)

    def startService(self) -> None:
        """
        Open what outlives the process, then serve.

        :raises SystemExit: with 78; the state directory cannot be used, and stderr says why.
        """
        try:
            self._state.open()
        except ConfigError as error:
            give_up(error)
        self.rooms.site.doStart()
        self.rooms.upkeep.start()
        naming = Deferred.fromCoroutine(self.rooms.name_administrators())
        naming.addErrback(lambda failure: self._log.failure("the administrators of the configuration could not be let in", failure))
        super().startService()
        gate = self.rooms.config.gate
        self._log.info("ready: portal {portal}, sandboxes below {site}", portal=str(gate.portal_origin), site=str(gate.sandbox_site))

    async def _stop(self, stopped: Deferred[Any]) -> None:
        """Listen no more, let what is being served end until the deadline, then cut it."""
        rooms = self.rooms
        await stopped
        limit = rooms.reactor.callLater(rooms.config.deadlines.stop_s, rooms.cut)
        await rooms.leave()
        if limit.active():
            limit.cancel()
        rooms.pool.close()
        rooms.deadlines.stop()
        rooms.site.doStop()
        await rooms.upkeep.stop()
        await self._state.close()
        self._log.info("stopped")

    def stopService(self) -> Deferred[None]:
        """Stop serving; fires when the last connection is closed."""
        return Deferred.fromCoroutine(self._stop(super().stopService()))


def build_gateway(config: Config, reactor: Any) -> Gateway:
    """
    Build the daemon.

    :param reactor: a Twisted reactor; typed Any since no type names all that it provides.
    :raises ConfigError: what the configuration names cannot be used, e.g. a certificate's file.
    """
    state = State(config, reactor, __version__)
    how = signing_in(config, reactor, known=state.let_in_by_name)
    rooms = Rooms(config, reactor, static_driver(config, reactor), state.stores, state.audit, how, state.failing, state.custody.vault)
    rooms.upkeep.keys, rooms.upkeep.tidy = state.keep_keys, state.tidy
    gateway = Gateway(rooms, state)
    certificates = _certificates(config) if any(listen.tls for listen in config.listeners) else None
    for listen in config.listeners:
        _listener(rooms, listen, certificates).setServiceParent(gateway)
    return gateway


def _certificates(config: Config) -> Certificates:
    """The certificates of the configuration, or for trying out one of our own making."""
    tls = config.tls
    if not tls.certificates:
        names = (config.gate.portal_origin.host, "*." + config.gate.sandbox_site.host)
        tls = evolve(tls, certificates=(self_signed(config.gate.state_directory / "tls", names),))
    return Certificates(tls, "tls")


def _listener(rooms: Rooms, listen: ListenConfig, certificates: Certificates | None) -> Listener:
    front = rooms.factory(*listen.channels, tls=listen.tls)
    factory: ServerFactory | IProtocolFactory = TLSFrontFactory(certificates, front) if listen.tls and certificates else front
    return Listener(serverFromString(rooms.reactor, listen.endpoint), factory, listen.endpoint)
