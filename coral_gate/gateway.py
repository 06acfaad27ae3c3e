"""
The only wiring: a configuration becomes a service.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import ServerFactory
from twisted.logger import ILogObserver, Logger, LogLevelFilterPredicate
from twisted.web.server import Site

from coral_gate import __version__
from coral_gate.audit.events import RequestRefused, StreamsCut, UserChanged
from coral_gate.channels.breaker import Breaker
from coral_gate.channels.control import ControlChannel
from coral_gate.channels.http import HTTPChannel
from coral_gate.channels.openclaw_http import OpenClawHTTP
from coral_gate.channels.plan import Forwarding, Upgrading
from coral_gate.channels.portal import PortalChannel
from coral_gate.channels.sandbox_http import SandboxHTTP
from coral_gate.config import Config, parse
from coral_gate.config.read import read_text
from coral_gate.config.sections.listen import ListenConfig
from coral_gate.config.sections.tls import TLSConfig
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
from coral_gate.gate.left_lists import LeftLists
from coral_gate.gate.origins import Origins, Place, Side
from coral_gate.gate.routes import LOCAL_ISSUER, ROUTES, RouteTable
from coral_gate.gate.sessions import Sessions
from coral_gate.gate.streams import Streams
from coral_gate.gate.tickets import Tickets
from coral_gate.gate.tombstones import Tombstones
from coral_gate.gate.upkeep import Upkeep
from coral_gate.http1.head import HeadLimits
from coral_gate.identity.attempts import MemorySignInAttempts
from coral_gate.identity.configured import SigningIn, administrators, configured_policy, signing_in, still_admitted
from coral_gate.interfaces import IAuditSink, ICredentials, ISandboxDriver
from coral_gate.model import Asker, ChannelKind, CloseCode, Role, SandboxId, Secret, UserId, new_sandbox_id
from coral_gate.operating import Operating
from coral_gate.operations.exits import give_up
from coral_gate.operations.hangup import HangupSignal
from coral_gate.operations.listening import Listener
from coral_gate.operations.logs import log_from, log_observer
from coral_gate.operations.operator_socket import OperatorSocket
from coral_gate.operations.reload import Reload
from coral_gate.portal.services import WORDS, Connected, PortalServices, SandboxCard
from coral_gate.portal.site import build_site
from coral_gate.records import AsGate, AsUser, Capacity, UserRowId
from coral_gate.sandboxes.configured import local_driver, static_driver
from coral_gate.sandboxes.drivers import Drivers
from coral_gate.sandboxes.housekeeping import Housekeeper
from coral_gate.sandboxes.local.driver import LocalDriver
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
    :ivar makers: what makes sandboxes when an operator asks, by its word.
    :ivar credentials: the same, by sandbox.
    :ivar channels: what serves each kind of connection.
    :ivar upgrading: what takes connections over.
    """

    config: Config
    reactor: Any  # a Twisted reactor: it provides a dozen interfaces, and no type says which
    driver: ISandboxDriver
    stores: Stores
    audit: IAuditSink
    signing_in: SigningIn
    failing: Callable[[], Collection[str]] = tuple
    vault: ICredentials = field(factory=RefusingCredentials)
    makers: dict[str, ISandboxDriver] = field(factory=dict)
    credentials: SandboxCredentials = field(init=False)
    sessions: Sessions = field(init=False)
    handoffs: Handoffs = field(init=False)
    site: Site = field(init=False)
    deadlines: Deadlines = field(init=False)
    pool: UpstreamPool = field(init=False)
    caps: ConnectionCaps = field(init=False)
    judge: Judge = field(init=False)
    upkeep: Upkeep = field(init=False)
    breaker: Breaker = field(init=False)
    tickets: Tickets = field(init=False)
    streams: Streams = field(init=False)
    channels: dict[ChannelKind, Forwarding] = field(init=False)
    upgrading: dict[ChannelKind, Upgrading] = field(init=False)
    doors: list[Door] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        config, stores = self.config, self.stores
        self.credentials = SandboxCredentials(self.vault, self.owner_of)
        self.sessions = Sessions(
            stores.sessions, stores.users, stores.sandboxes, self.audit, config.sessions, time.time, time.monotonic
        )
        self.sessions.admitted = still_admitted(config)
        self.tickets = Tickets(stores.tickets, self.audit, Secret(secrets.token_bytes(32)), time.time)
        self.streams = self.sessions.watcher = Streams(self.sessions, self.audit, config.limits, self.reactor)
        self.handoffs = Handoffs(stores.handoffs, stores.sessions, self.audit, config.sessions, self.may_use, time.time)
        self.upkeep = Upkeep(stores.revocations, self.sessions, stores.handoffs, stores.tickets, stores.sandboxes, self.reactor)
        self.upkeep.drop_credential, self.upkeep.drop_credentials = self.credentials.drop, self.credentials.drop_all
        self.site = build_site(self.reactor, self._portal_services())
        self.deadlines = Deadlines(self.reactor)
        self.pool = UpstreamPool(self.deadlines, config.limits)
        self.caps = ConnectionCaps(config.limits.connections, config.limits.connections_per_address)
        origins = Origins(config.gate.portal_origin.authority, config.gate.sandbox_site.authority)
        open_sandboxes = frozenset(sandbox.id for sandbox in config.sandboxes if sandbox.open)
        routes = RouteTable((*ROUTES, LOCAL_ISSUER)) if self.signing_in.local is not None else RouteTable()
        plain = frozenset(sandbox.id for sandbox in config.sandboxes if sandbox.speaks == "http")
        self.judge = Judge(
            origins,
            routes,
            self.sessions,
            Tombstones(stores.sandboxes, time.monotonic),
            frozenset(ChannelKind),
            open_sandboxes,
            openclaw=lambda sandbox: sandbox not in plain,
        )
        self.breaker = breaker = Breaker(time.monotonic)
        openclaw = OpenClawHTTP(self.driver, self.credentials, breaker)
        self.channels = {
            ChannelKind.PORTAL: PortalChannel(MemoryLink(self.reactor, self.site)),
            ChannelKind.HTTP: SandboxHTTP(openclaw, HTTPChannel(self.driver, config.limits.body_bytes), plain),
        }

        self.upgrading = {ChannelKind.CONTROL: self._control(breaker)}

    def _control(self, breaker: Breaker) -> ControlChannel:
        limits = self.config.limits
        return ControlChannel(
            driver=self.driver,
            tickets=self.tickets,
            streams=self.streams,
            credentials=self.credentials,
            audit=self.audit,
            breaker=breaker,
            monotonic=time.monotonic,
            now=time.time,
            head_limits=HeadLimits(limits.response_head_bytes, 0, limits.response_fields),
            message_bytes=limits.message_bytes,
        )

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
        issuer = self.signing_in.issuer_name
        return PortalServices(entrance, self.sessions, self._cards, entrance.portal, issuer, respond, self.failing, self.mint, self.cut_own)

    async def mint(self, visitor: Visitor, sandbox: SandboxId, address: str) -> Secret:
        """A ticket for a sandbox's own page, which the gate has let its visitor ask from (see `Tickets.issue`)."""
        place = Place(Side.SANDBOX, self.config.gate.sandbox_site.below(sandbox).authority.encode("ascii"), sandbox)
        return await self.tickets.issue(visitor, place, sandbox, ChannelKind.CONTROL, address)

    def sandbox_origin(self, sandbox: SandboxId) -> str:
        """The origin of a sandbox, e.g. `https://<id>.sandboxes.example`."""
        return str(self.config.gate.sandbox_site.below(sandbox))

    async def may_use(self, visitor: Visitor, sandbox: SandboxId) -> bool:
        """Whether a sandbox is a visitor's own: by the configuration, or by its row."""
        if any(one.id == sandbox and one.owner is not None and one.owner.who == visitor.who for one in self.config.sandboxes):
            return True
        row = await self.stores.sandboxes.find(AsUser(visitor.user), sandbox)
        return row is not None and row.destroyed_at is None and row.locked is None

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
        named = [(one.id, one.name, None) for one in self.config.sandboxes if one.owner is not None and one.owner.who == visitor.who]
        kept = [(row.id, row.name, row.locked) for row in await self.stores.sandboxes.list(AsUser(visitor.user), visitor.user)]
        return [self._card(visitor, *one) for one in (*named, *kept)]

    def _card(self, visitor: Visitor, sandbox: SandboxId, name: str, locked: str | None) -> SandboxCard:
        now, monotonic = datetime.now(UTC), time.monotonic()
        connected = tuple(
            Connected(one.label, WORDS[one.channel], one.address, now - timedelta(seconds=monotonic - one.opened_at))
            for one in self.streams.of_user(visitor.user)
            if one.sandbox == sandbox
        )
        return SandboxCard(sandbox, name, self.sandbox_origin(sandbox), self.driver.condition(sandbox), connected, locked)

    async def cut_own(self, visitor: Visitor, label: str, address: str) -> bool:
        """End one of a visitor's own streams; recorded before. False where they have none of that label."""
        if all(one.label != label for one in self.streams.of_user(visitor.user)):
            return False
        await self.audit.record(StreamsCut(who=visitor.who, address=address, by="label", named=label, why="asked by its owner"))
        return self.streams.cut_one(label, CloseCode.FORBIDDEN, "You disconnected this from the portal.")

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
            upgrading=self.upgrading,
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
        for who in administrators(self.config):
            if await self.stores.users.find(who) is None:
                await self.audit.record(UserChanged(user=who, change="allowed", to=Role.ADMINISTRATOR.value))
                await self.stores.users.allow(AsGate(Capacity.SIGN_IN), who, Role.ADMINISTRATOR, datetime.now(UTC))

    async def keep_to_lists(self) -> int:
        """End what people have open whom no list of the configuration names any more; gives how many people that were."""
        return await LeftLists(self.stores.users, self.sessions, self.sessions.admitted, self.cut_user).end()

    def cut_user(self, user: UserRowId, reason: str) -> None:
        """Cut a user's streams."""
        self.streams.cut_user(user, CloseCode.FORBIDDEN, reason)

    def cut_sandbox(self, sandbox: SandboxId) -> None:
        """Cut every stream to a sandbox, and forget what is kept of it."""
        self.credentials.drop(sandbox)
        self.sessions.forget_sandbox(sandbox)

    async def credential_changed(self, sandbox: SandboxId) -> None:
        """
        A sandbox has another credential, and knows it: forget the old one, and let its streams connect anew with the new one.

        The streams are cut by the log of revocations, once, whether it is followed here or has been already.
        """
        self.credentials.drop(sandbox)
        self.breaker.forget(sandbox)  # it may have been tried before the sandbox had heard of it
        await self.upkeep.follow()

    def take(self, config: Config) -> None:
        """Go by another configuration from now on, in all that can change while the daemon runs."""
        self.config = config
        self.sessions.admitted = still_admitted(config)
        policy, limits = configured_policy(config), config.limits
        if self.signing_in.admit_by is not None and policy is not None:
            self.signing_in.admit_by(policy)
        self.caps.limit(limits.connections, limits.connections_per_address)
        for door in self.doors:
            door.wait_as(config.deadlines)
            door.head_limits = HeadLimits(limits.head_bytes, limits.target_bytes, limits.fields)

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
        self.threshold = LogLevelFilterPredicate()
        self.hangup: HangupSignal | None = None
        self.operators: OperatorSocket | None = None
        self.local: LocalDriver | None = None

    def log_as(self, twistd: Mapping[str, Any]) -> None:
        """
        Log as the configuration says.

        :param twistd: the options that twistd was started with; where they say otherwise they win.
        """
        self._observer = log_observer(self.rooms.config.log, twistd, self.threshold)

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
            if self.operators is not None:
                self.operators.startService()
        except ConfigError as error:
            give_up(error)
        if self.hangup is not None:
            self.hangup.watch()
        if self.local is not None:
            self.local.load()
        self.rooms.site.doStart()
        self.rooms.upkeep.start()
        self.rooms.streams.start()
        naming = Deferred.fromCoroutine(self._settle())
        naming.addErrback(
            lambda failure: self._log.failure("the lists of the configuration could not be applied to those who are in", failure)
        )
        super().startService()
        gate = self.rooms.config.gate
        self._log.info("ready: portal {portal}, sandboxes below {site}", portal=str(gate.portal_origin), site=str(gate.sandbox_site))

    async def _settle(self) -> int:
        """Let in whom the configuration names, and end what those have open whom it names no more."""
        await self.rooms.name_administrators()
        return await self.rooms.keep_to_lists()

    def take(self, config: Config, certificates: Callable[[], None]) -> None:
        """Go by another configuration from now on."""
        certificates()
        self.rooms.take(config)
        log_from(self.threshold, config.log)

    def operate(self, source: Path, certificates: Certificates | None) -> None:
        """
        Take reloads and operators' requests while it runs.

        :param source: the configuration's file.
        """
        rooms = self.rooms

        def read() -> tuple[Config, str]:
            text = read_text(source)
            return parse(text, str(source)), sha256(text.encode()).hexdigest()

        def prepare(config: Config) -> Callable[[], None]:
            ready = certificates.prepare(_tls(config)) if certificates is not None else lambda: None
            return partial(self.take, config, ready)

        reload = Reload(rooms.config, read, prepare, self._settle, rooms.audit)
        operating = Operating(
            reload, self._housekeeper(), rooms.upkeep.follow, rooms.audit, rooms.streams, credential_changed=rooms.credential_changed
        )
        self.operators = OperatorSocket(rooms.config.gate.state_directory, operating.table(), rooms.reactor)
        self.hangup = HangupSignal(rooms.reactor, partial(self._reload, reload))

    def _reload(self, reload: Reload) -> None:
        """A signal has nobody to answer: the log says what came of it."""
        reloading = Deferred.fromCoroutine(reload.reload())
        reloading.addErrback(lambda failure: failure.trap(ConfigError) and None)  # each problem is in the log
        reloading.addErrback(lambda failure: self._log.failure("the configuration could not be read again", failure))

    def _housekeeper(self) -> Housekeeper:
        rooms = self.rooms
        return Housekeeper(
            rooms.stores.sandboxes,
            rooms.stores.users,
            self._state.custody.vault,
            rooms.audit,
            rooms.makers,
            rooms.sandbox_origin,
            rooms.cut_sandbox,
            lambda: datetime.now(UTC),
            new_sandbox_id,
        )

    async def _stop(self, stopped: Deferred[Any]) -> None:
        """Listen no more, let what is being served end until the deadline, then cut it."""
        rooms = self.rooms
        if self.operators is not None:
            self.operators.stopService()
        await stopped
        limit = rooms.reactor.callLater(rooms.config.deadlines.stop_s, rooms.cut)
        await rooms.leave()
        if limit.active():
            limit.cancel()
        rooms.pool.close()
        if self.local is not None:
            await self.local.stop_all()
        rooms.deadlines.stop()
        rooms.site.doStop()
        rooms.streams.stop()
        await rooms.upkeep.stop()
        await self._state.close()
        self._log.info("stopped")
        if self.hangup is not None:
            self.hangup.leave()

    def stopService(self) -> Deferred[None]:
        """Stop serving; fires when the last connection is closed."""
        return Deferred.fromCoroutine(self._stop(super().stopService()))


def build_gateway(config: Config, reactor: Any, source: Path | None = None) -> Gateway:
    """
    Build the daemon.

    :param source: the configuration's file, for reading it again; without it no operator is served.
    :param reactor: a Twisted reactor; typed Any since no type names all that it provides.
    :raises ConfigError: what the configuration names cannot be used, e.g. a certificate's file.
    """
    state = State(config, reactor, __version__)
    how = signing_in(config, reactor, known=state.let_in_by_name)
    local = local_driver(config, reactor)
    drivers = Drivers((static_driver(config, reactor), *([] if local is None else [local])))
    rooms = Rooms(config, reactor, drivers, state.stores, state.audit, how, state.failing, state.custody.vault)
    if local is not None:
        rooms.makers[local.word] = local
    rooms.upkeep.keys, rooms.upkeep.tidy = _each_minute(rooms, state), state.tidy
    gateway = Gateway(rooms, state)
    gateway.local = local
    certificates = _certificates(config) if any(listen.tls for listen in config.listeners) else None
    for listen in config.listeners:
        _listener(rooms, listen, certificates).setServiceParent(gateway)
    if source is not None:
        gateway.operate(source.absolute(), certificates)
    return gateway


def _each_minute(rooms: Rooms, state: State) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        try:
            await rooms.keep_to_lists()  # a sign-in that was under way when the lists changed
        finally:
            await state.keep_keys()

    return work


def _certificates(config: Config) -> Certificates:
    """The certificates of the configuration."""
    return Certificates(_tls(config), "tls")


def _tls(config: Config) -> TLSConfig:
    """What the configuration says of TLS, or for trying out with a certificate of our own making."""
    tls = config.tls
    if not tls.certificates:
        names = (config.gate.portal_origin.host, "*." + config.gate.sandbox_site.host)
        tls = evolve(tls, certificates=(self_signed(config.gate.state_directory / "tls", names),))
    return tls


def _listener(rooms: Rooms, listen: ListenConfig, certificates: Certificates | None) -> Listener:
    front = rooms.factory(*listen.channels, tls=listen.tls)
    factory: ServerFactory | IProtocolFactory = TLSFrontFactory(certificates, front) if listen.tls and certificates else front
    return Listener(serverFromString(rooms.reactor, listen.endpoint), factory, listen.endpoint)
