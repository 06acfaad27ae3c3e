"""
The whole configuration: its sections, and what must hold between them.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final

import attrs
from attrs import field, frozen

from coral_gate.config.definitions import Rule, key, rule
from coral_gate.config.hosts import address, is_special
from coral_gate.config.places import Place
from coral_gate.config.sections.deadlines import DeadlinesConfig
from coral_gate.config.sections.gate import GateConfig
from coral_gate.config.sections.keys import KeysConfig
from coral_gate.config.sections.limits import LimitsConfig
from coral_gate.config.sections.links import LinksConfig, UnixLinkConfig
from coral_gate.config.sections.listen import ListenConfig
from coral_gate.config.sections.local import LocalConfig
from coral_gate.config.sections.log import LogConfig
from coral_gate.config.sections.sandbox import SandboxConfig
from coral_gate.config.sections.sessions import SessionsConfig
from coral_gate.config.sections.sign_in import SignInConfig
from coral_gate.config.sections.tls import TLSConfig
from coral_gate.config.tables import Table, Tables

_SOCKET_PATH_BYTES: Final = 107  # sun_path less its NUL, unix(7)


def _certificates_for_tls(place: Place, gate: GateConfig, listeners: tuple[ListenConfig, ...], tls: TLSConfig) -> None:
    try_out = all(one.host.endswith(".localhost") for one in (gate.portal_origin, gate.sandbox_site))
    if any(listener.tls for listener in listeners) and not tls.certificates and not try_out:
        place.at("tls", "certificate").record(
            "A listener does TLS and there is no certificate.", "Add a [[tls.certificate]], or set tls = false for the listener."
        )


def _ids_differ(place: Place, sandboxes: tuple[SandboxConfig, ...]) -> None:
    seen = set()
    for number, sandbox in enumerate(sandboxes):
        if sandbox.id in seen:
            place.at("sandbox", number, "id").record("Another sandbox has this id.", "Draw a fresh one; ids are never used again.")
        seen.add(sandbox.id)


def _open_only_inside(place: Place, listeners: tuple[ListenConfig, ...], sandboxes: tuple[SandboxConfig, ...]) -> None:
    if all(listener.loopback for listener in listeners):
        return
    for number, sandbox in enumerate(sandboxes):
        if sandbox.open:
            place.at("sandbox", number, "open").record(
                "A sandbox is open to everybody and a listener is not bound to a loopback address.",
                'Take "open" out, or bind every listener with ":interface=127.0.0.1".',
            )


def _links_are_allowed(place: Place, links: LinksConfig, sandboxes: tuple[SandboxConfig, ...]) -> None:
    for number, sandbox in enumerate(sandboxes):
        if isinstance(sandbox.app, UnixLinkConfig):
            continue
        literal = address(sandbox.app.host)
        # The plain cases, for an early word; who dials judges every address again, also what a name resolves to.
        if literal is not None and is_special(literal) and not any(literal in network for network in links.allow_networks):
            place.at("sandbox", number, "app", "host").record(
                f"{literal} is an address that links do not dial.", f'Where that is meant, put it into links.allow: ["{literal}"].'
            )


def _sockets_fit(place: Place, gate: GateConfig, links: LinksConfig, sandboxes: tuple[SandboxConfig, ...]) -> None:
    folder = gate.state_directory / links.unix_directory
    for number, sandbox in enumerate(sandboxes):
        if isinstance(sandbox.app, UnixLinkConfig) and len(bytes(folder / sandbox.app.path)) > _SOCKET_PATH_BYTES:
            place.at("sandbox", number, "app", "path").record(
                f"The socket's whole path is too long; expected at most {_SOCKET_PATH_BYTES} bytes.", f"It is below {folder}."
            )


def _built_in_only_inside(place: Place, gate: GateConfig, listeners: tuple[ListenConfig, ...], sign_in: SignInConfig) -> None:
    if not sign_in.built_in:
        return
    if not all(listener.loopback for listener in listeners):
        place.at("sign_in", "built_in").record(
            "The built-in issuer is for trying out and a listener is not bound to a loopback address.",
            'Set sign_in.issuer, or bind every listener with ":interface=127.0.0.1".',
        )
    if not gate.portal_origin.host.endswith(".localhost"):
        place.at("sign_in", "built_in").record(
            "The built-in issuer is for trying out and the portal's name does not end in .localhost.",
            "Set sign_in.issuer, or give the portal such a name.",
        )


def _local_only_inside(place: Place, gate: GateConfig, listeners: tuple[ListenConfig, ...], local: LocalConfig | None) -> None:
    if local is None:
        return
    if not all(listener.loopback for listener in listeners):
        place.at("local").record(
            "Sandboxes on the gate's own machine are for trying out and a listener is not bound to a loopback address.",
            'Take [local] out, or bind every listener with ":interface=127.0.0.1".',
        )
    if not all(origin.host.endswith(".localhost") for origin in (gate.portal_origin, gate.sandbox_site)):
        place.at("local").record(
            "Sandboxes on the gate's own machine are for trying out and a name does not end in .localhost.",
            "Take [local] out, or give the portal and the sandboxes such names.",
        )


@frozen(kw_only=True)
class Config:
    """The whole configuration; a section is an attribute."""

    gate: GateConfig = field(metadata=key("gate", Table(GateConfig), "", since="0.1"))
    listeners: tuple[ListenConfig, ...] = field(metadata=key("listen", Tables(Table(ListenConfig), least=1), "", since="0.1"))
    tls: TLSConfig = field(factory=TLSConfig, metadata=key("tls", Table(TLSConfig), "", since="0.1"))
    deadlines: DeadlinesConfig = field(factory=DeadlinesConfig, metadata=key("deadlines", Table(DeadlinesConfig), "", since="0.1"))
    limits: LimitsConfig = field(factory=LimitsConfig, metadata=key("limits", Table(LimitsConfig), "", since="0.1"))
    links: LinksConfig = field(factory=LinksConfig, metadata=key("links", Table(LinksConfig), "", since="0.1"))
    sandboxes: tuple[SandboxConfig, ...] = field(default=(), metadata=key("sandbox", Tables(Table(SandboxConfig)), "", since="0.1"))
    local: LocalConfig | None = field(default=None, metadata=key("local", Table(LocalConfig), "", since="0.1"))
    sessions: SessionsConfig = field(factory=SessionsConfig, metadata=key("sessions", Table(SessionsConfig), "", since="0.1"))
    sign_in: SignInConfig = field(factory=SignInConfig, metadata=key("sign_in", Table(SignInConfig), "", since="0.1"))
    keys: KeysConfig = field(factory=KeysConfig, metadata=key("keys", Table(KeysConfig), "", since="0.1"))
    log: LogConfig = field(factory=LogConfig, metadata=key("log", Table(LogConfig), "", since="0.1"))

    RULES: ClassVar[tuple[Rule, ...]] = (
        rule(_certificates_for_tls, "gate", "listeners", "tls"),
        rule(_ids_differ, "sandboxes"),
        rule(_open_only_inside, "listeners", "sandboxes"),
        rule(_links_are_allowed, "links", "sandboxes"),
        rule(_sockets_fit, "gate", "links", "sandboxes"),
        rule(_built_in_only_inside, "gate", "listeners", "sign_in"),
        rule(_local_only_inside, "gate", "listeners", "local"),
    )

    def settled(self) -> Config:
        """The same with every path absolute: folders lie in the state directory unless they say otherwise."""
        state: Path = self.gate.state_directory
        links = attrs.evolve(self.links, unix_directory=state / self.links.unix_directory)
        keys = attrs.evolve(self.keys, folder=state / self.keys.folder)
        local = None if self.local is None else attrs.evolve(self.local, folder=state / self.local.folder)
        return attrs.evolve(self, links=links, keys=keys, local=local)
