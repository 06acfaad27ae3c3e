"""`[[listen]]`: where the gate listens, and what it serves there."""

from __future__ import annotations

from typing import ClassVar, Final

from attrs import field, frozen

from coral_gate.config.definitions import Rule, key, rule
from coral_gate.config.kinds import Choice, ListOf, Spelled, Switch
from coral_gate.config.listening import endpoint, is_local, is_loopback
from coral_gate.config.places import Place
from coral_gate.model import ChannelKind

AVAILABLE_CHANNELS: Final = (ChannelKind.PORTAL, ChannelKind.HTTP, ChannelKind.CONTROL)
"""The channels that this version serves."""

_CHANNEL: Final = Choice(
    {kind.value: kind for kind in AVAILABLE_CHANNELS},
    later=tuple(kind.value for kind in ChannelKind if kind not in AVAILABLE_CHANNELS),
)


def _plain_only_inside(place: Place, endpoint: str, tls: bool) -> None:
    if not tls and not is_local(endpoint):
        place.at("tls").record(
            "A listener without TLS can be reached from other machines.",
            'Set tls = true, or bind it to this machine: ":interface=127.0.0.1" or a "unix:" endpoint.',
        )


@frozen(kw_only=True)
class ListenConfig:
    """
    A place where the gate listens; there is at least one.

    Any number of listeners may stand side by side. By default each serves every channel.
    """

    endpoint: str = field(
        metadata=key(
            "endpoint",
            Spelled('an endpoint such as "tcp:443"', endpoint, str),
            r"""
            A Twisted server endpoint: `tcp:443`, `tcp:8443:interface=127.0.0.1`, `tcp6:443`, `unix:/run/gate.sock`,
            `systemd:domain=INET:name=https`, or one that an installed package brings. The colons of an IPv6 address are
            escaped; in TOML that reads best in single quotes: `'tcp6:8443:interface=\:\:1'`.
            """,
            since="0.1",
        )
    )
    tls: bool = field(
        default=True,
        metadata=key(
            "tls",
            Switch(),
            """
            Whether the gate does TLS here, with the certificates of `[tls]`. Without, the listener must be on a
            loopback address or a unix socket, for a proxy on the same machine.
            """,
            since="0.1",
        ),
    )
    channels: tuple[ChannelKind, ...] = field(
        default=AVAILABLE_CHANNELS,
        metadata=key(
            "channels",
            ListOf(_CHANNEL, "channels", least=1),
            "The channels that are served here: `portal` is the portal's pages, `http` the pages of sandboxes.",
            since="0.1",
        ),
    )

    RULES: ClassVar[tuple[Rule, ...]] = (rule(_plain_only_inside, "endpoint", "tls"),)

    @property
    def loopback(self) -> bool:
        """Whether it is bound to a loopback address; False where that cannot be told from the endpoint."""
        return is_loopback(self.endpoint)
