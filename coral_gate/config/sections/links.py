"""`[links]`, and the links that a `[[sandbox]]` names: how the gate reaches a service inside a sandbox."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Final, TypeAlias

from attrs import field, frozen

from coral_gate.config.definitions import Rule, key, rule
from coral_gate.config.hosts import Network, address, host, host_name, network
from coral_gate.config.kinds import FilePath, ListOf, Spelled, Switch, Whole
from coral_gate.config.places import Place

_HOST: Final = Spelled("a host name or address", host, str)
_PORT: Final = Whole(1, 0xFFFF)
_SOCKET: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*\Z")
_PIN: Final = re.compile(r"sha256:([0-9a-f]{64})\Z")


def _socket_path(text: str) -> str:
    if not _SOCKET.match(text):
        raise ValueError("Letters, digits, dot, hyphen and underscore, no dot in front; parts with / between, no .. and no / in front.")
    return text


def _pin(text: str) -> bytes:
    match = _PIN.match(text)
    if match is None:
        raise ValueError('Write "sha256:" and 64 lower-case hexadecimal digits.')
    return bytes.fromhex(match[1])


def _pin_text(pin: bytes) -> str:
    return f"sha256:{pin.hex()}"


def _plain_only_inside(place: Place, host: str, insecure_plaintext: bool) -> None:
    literal = address(host)
    inside = literal.is_loopback if literal is not None else host == "localhost"
    if not inside and not insecure_plaintext:
        place.record(
            "This link leaves the machine unencrypted, with the sandbox's credential in it.",
            'Use kind = "tls"; or set insecure_plaintext = true where the network between is yours alone.',
        )


@frozen(kw_only=True)
class TCPLinkConfig:
    """A plain TCP connection (`kind = "tcp"`)."""

    host: str = field(metadata=key("host", _HOST, "A name or an address; an IPv6 address without brackets.", since="0.1"))
    port: int = field(metadata=key("port", _PORT, "The port.", since="0.1"))
    insecure_plaintext: bool = field(
        default=False,
        metadata=key(
            "insecure_plaintext",
            Switch(),
            "Must be `true` for every host but `localhost` and loopback addresses: whoever is on the way reads everything.",
            since="0.1",
        ),
    )

    RULES: ClassVar[tuple[Rule, ...]] = (rule(_plain_only_inside, "host", "insecure_plaintext"),)


@frozen(kw_only=True)
class TLSLinkConfig:
    """A TLS connection to a service whose key is known beforehand (`kind = "tls"`)."""

    host: str = field(metadata=key("host", _HOST, "A name or an address; an IPv6 address without brackets.", since="0.1"))
    port: int = field(metadata=key("port", _PORT, "The port.", since="0.1"))
    pin_sha256: bytes = field(
        metadata=key(
            "pin",
            Spelled('a pin such as "sha256:" and 64 hexadecimal digits', _pin, _pin_text),
            "The SHA-256 of the certificate that the service shows, in its DER form; no other is accepted.",
            since="0.1",
        )
    )
    server_name: str | None = field(
        default=None,
        metadata=key(
            "server_name",
            Spelled("a host name", host_name, str),
            "The name that is asked for (SNI), where it is not `host`.",
            since="0.1",
        ),
    )


@frozen(kw_only=True)
class UnixLinkConfig:
    """A unix socket on the gate's machine (`kind = "unix"`)."""

    path: str = field(
        metadata=key(
            "path",
            Spelled('a path such as "app.sock"', _socket_path, str),
            "The socket, below `links.unix_directory`.",
            since="0.1",
        )
    )


LinkConfig: TypeAlias = TCPLinkConfig | TLSLinkConfig | UnixLinkConfig

Allowed: TypeAlias = "Network | str"


def _allowed(text: str) -> Allowed:
    try:
        return network(text)
    except ValueError:
        if re.search(r"[/:]", text) or text.replace(".", "").isdigit():
            raise
    return host_name(text)


def _allowed_text(allowed: Allowed) -> str:
    if isinstance(allowed, str):
        return allowed
    return str(allowed.network_address) if allowed.num_addresses == 1 else str(allowed)


@frozen(kw_only=True)
class LinksConfig:
    """How the gate may reach sandboxes."""

    unix_directory: Path = field(
        default=Path("links"),
        metadata=key(
            "unix_directory",
            FilePath("a path", False),
            "The folder of the unix sockets of links. A relative path is taken from `gate.state_directory`.",
            since="0.1",
        ),
    )
    allow: tuple[Allowed, ...] = field(
        default=(),
        metadata=key(
            "allow",
            ListOf(
                Spelled('an address, a network or a host name such as "10.1.0.0/16"', _allowed, _allowed_text),
                "addresses, networks and host names",
            ),
            """
            What a link may dial though it is loopback, link-local or another special address: addresses, networks, and
            names that may resolve to such. Ordinary addresses, private networks included, need no entry. Nothing else
            is dialled, so that no sandbox's link can be turned against the gate's own machine. A cloud's metadata
            service needs an entry for its very address; an entry for a network or a name does not open it.
            """,
            since="0.1",
        ),
    )

    @property
    def allow_networks(self) -> tuple[Network, ...]:
        """The networks of `allow`; an address is a network of one."""
        return tuple(entry for entry in self.allow if not isinstance(entry, str))

    @property
    def allow_names(self) -> frozenset[str]:
        """The host names of `allow`."""
        return frozenset(entry for entry in self.allow if isinstance(entry, str))
