"""
The sandboxes that the configuration names: each with the links that it says.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.threads import deferToThreadPool

from coral_gate.config import Config
from coral_gate.config.listening import bound_to
from coral_gate.config.sections.links import LinkConfig, TCPLinkConfig, TLSLinkConfig
from coral_gate.interfaces import ILink
from coral_gate.model import ServiceName
from coral_gate.sandboxes.addresses import AddressPolicy, Endpoint
from coral_gate.sandboxes.attempt import ILinkReactor
from coral_gate.sandboxes.links import TCPLink, TLSLink
from coral_gate.sandboxes.local.driver import LocalDriver
from coral_gate.sandboxes.local.process import Starter
from coral_gate.sandboxes.static import StaticDriver
from coral_gate.sandboxes.unix import UNIXLink


def static_driver(config: Config, reactor: ILinkReactor) -> StaticDriver:
    """The driver of the `[[sandbox]]` tables; no link of theirs reaches a listener of the gate."""
    policy = AddressPolicy(config.links.allow_networks, config.links.allow_names, _own(config))
    return StaticDriver({one.id: {ServiceName.APP: _link(one.app, config, policy, reactor)} for one in config.sandboxes})


def local_driver(config: Config, reactor: Any) -> LocalDriver | None:
    """The driver of `[local]`, where the configuration has that section; `load` it before it is asked anything."""
    local = config.local
    if local is None:
        return None
    pool = reactor.getThreadPool()
    starter = Starter(reactor, local.node, local.openclaw)
    return LocalDriver(reactor, local, _own(config), lambda work: deferToThreadPool(reactor, pool, work), starter)


def _own(config: Config) -> frozenset[Endpoint]:
    return frozenset(bound for listener in config.listeners if (bound := bound_to(listener.endpoint)) is not None)


def _link(link: LinkConfig, config: Config, policy: AddressPolicy, reactor: ILinkReactor) -> ILink:
    if isinstance(link, TCPLinkConfig):
        return TCPLink(reactor, host=link.host, port=link.port, policy=policy, insecure_plaintext=link.insecure_plaintext)
    if isinstance(link, TLSLinkConfig):
        return TLSLink(reactor, host=link.host, port=link.port, policy=policy, pin_sha256=link.pin_sha256, server_name=link.server_name)
    return UNIXLink(reactor, folder=config.links.unix_directory, path=link.path)
