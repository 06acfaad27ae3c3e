"""Configurations that tests start from, and the problems that a text has."""

from __future__ import annotations

from coral_gate.config import parse
from coral_gate.errors import ConfigError, Problem

ID = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
PIN = "sha256:" + "0a" * 32

GATE = """\
[gate]
portal_origin = "https://gate.example"
sandbox_site = "https://sandboxes.example.net"
"""
LISTEN = """\
[[listen]]
endpoint = "tcp:443"
"""
CERTIFICATE = """\
[[tls.certificate]]
names = ["gate.example", "*.sandboxes.example.net"]
certificate = "cert.pem"
key = "key.pem"
"""
LEAST = GATE + LISTEN + CERTIFICATE
"""The least that is a configuration: 10 lines."""

INSIDE = """\
[gate]
portal_origin = "https://gate.localhost:8443"
sandbox_site = "https://sbx.localhost:8443"
[[listen]]
endpoint = "tcp:8080:interface=127.0.0.1"
tls = false
"""
"""A try-out on one machine: 6 lines."""


def problems(text: str, name: str = "/etc/coral.toml") -> tuple[Problem, ...]:
    """What is wrong with a text; nothing where it is a configuration."""
    try:
        parse(text, name)
    except ConfigError as error:
        return error.problems
    return ()


def told(text: str) -> list[str]:
    """The same as an operator reads them, without the folder."""
    return [str(problem).removeprefix("/etc/") for problem in problems(text)]


def sandbox(app: str, *, number: int = 0, more: str = "") -> str:
    """A sandbox with a link."""
    return f'[[sandbox]]\nid = "{"abcdefgh"[number] * 26}"\nname = "Try-out {number}"\napp = {{ {app} }}\n{more}\n'
