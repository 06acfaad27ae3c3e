"""
The endpoint strings of listeners: whether Twisted can read one, and whether only this machine can reach it.

Nothing is opened here, and the reactor is not imported.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from coral_gate.config.hosts import address

_NUMBER: Final = re.compile(r"[0-9]{1,5}\Z")
_TLS_KINDS: Final = ("ssl", "tls")


def endpoint(text: str) -> str:
    """
    Check a Twisted server endpoint string; it is given back unchanged.

    A `systemd:` endpoint is checked by its form alone: its socket is there only when systemd starts the daemon.

    :raises ValueError: Twisted would not take it, or it does TLS by itself.
    """
    arguments, named = split_endpoint(text)
    kind = arguments[0].lower() if arguments else ""
    if kind in _TLS_KINDS:
        raise ValueError('The gate does TLS itself: use "tcp:" and a certificate under [tls].')
    if kind in ("tcp", "tcp6"):
        _check_port(named.get("port", arguments[1] if len(arguments) > 1 else ""))
    if kind == "systemd":
        _check_systemd(arguments, named)
    else:
        _ask_twisted(text)
    return text


def is_local(text: str) -> bool:
    """Whether an endpoint that `endpoint` took can be reached from this machine alone: loopback or a unix socket."""
    return is_loopback(text) or split_endpoint(text)[0][0].lower() == "unix"


def is_loopback(text: str) -> bool:
    """Whether an endpoint that `endpoint` took is bound to a loopback address, given as an address."""
    arguments, named = split_endpoint(text)
    if arguments[0].lower() not in ("tcp", "tcp6"):
        return False
    interface = address(_interface(arguments, named))
    # From Python 3.13 on ::ffff:127.0.0.1 counts as loopback; where it is bound, IPv4 may come in.
    return interface is not None and interface.is_loopback and getattr(interface, "ipv4_mapped", None) is None


def bound_interface(text: str) -> str:
    """The interface that an endpoint which `endpoint` took names; empty where it names none, or has no interfaces."""
    arguments, named = split_endpoint(text)
    return _interface(arguments, named) if arguments[0].lower() in ("tcp", "tcp6") else ""


def bound_to(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int] | None:
    """
    The address and port that an endpoint which `endpoint` took is bound to; an unspecified address stands for all of this machine's.

    :return: None where the string does not say it: a unix or systemd socket, port 0, or an endpoint of another package.
    """
    arguments, named = split_endpoint(text)
    kind = arguments[0].lower()
    port = named.get("port", arguments[1] if len(arguments) > 1 else "")
    if kind not in ("tcp", "tcp6") or not int(port):
        return None
    anywhere = ipaddress.ip_address("0.0.0.0" if kind == "tcp" else "::")  # noqa: S104  # nothing is bound here
    return address(_interface(arguments, named)) or anywhere, int(port)


def split_endpoint(text: str) -> tuple[list[str], dict[str, str]]:
    r"""
    Split an endpoint string into its arguments, those with a name apart: `kind:a:b:name=c`, with a backslash before a colon that is none.

    :raises ValueError: it ends in a lone backslash.
    """
    arguments: list[str] = []
    named: dict[str, str] = {}
    for part in re.findall(r"(?:^|:)((?:[^:\\]|\\.)*+)", _whole(text), re.DOTALL):
        name, equals, value = _partition(part)
        if equals:
            named[name] = value
        else:
            arguments.append(name)
    return arguments, named


def _whole(text: str) -> str:
    if len(re.findall(r"\\*\Z", text)[0]) % 2:
        raise ValueError("It ends in a backslash.")
    return text


def _partition(part: str) -> tuple[str, str, str]:
    match = re.match(r"((?:[^=\\]|\\.)*+)(=?)(.*)\Z", part, re.DOTALL)
    if match is None:
        raise ValueError("It ends in a backslash.")
    return _unescaped(match[1]), match[2], _unescaped(match[3])


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _interface(arguments: list[str], named: dict[str, str]) -> str:
    """Where a `tcp` or `tcp6` endpoint is bound; their arguments stand in another order."""
    place = 2 if arguments[0].lower() == "tcp" else 3
    return named.get("interface", arguments[place] if len(arguments) > place else "")


def _check_port(text: str) -> None:
    if not _NUMBER.match(text) or int(text) > 0xFFFF:
        raise ValueError("Its port is not a number from 0 to 65535.")


def _check_systemd(arguments: list[str], named: dict[str, str]) -> None:
    families = arguments[1:2] or [named.get("domain", "")]
    index, name = named.get("index"), named.get("name")
    sound = families[0] in ("INET", "INET6", "UNIX") and len(arguments) <= 2 and set(named) <= {"domain", "index", "name"}
    if not sound or (index is None) == (name is None) or (index is not None and not _NUMBER.match(index)):
        raise ValueError('Write "systemd:domain=INET:name=..." (or INET6, UNIX; or index=0).')


def _ask_twisted(text: str) -> None:
    # Imported here: it looks through the plugins, and reading a configuration in a tool should not need that.
    from twisted.internet import endpoints

    try:
        endpoints.serverFromString(None, text)
    except Exception as error:  # each kind of endpoint, also of other packages, raises what it likes
        raise ValueError("Twisted knows no such endpoint, or not with these arguments.") from error
