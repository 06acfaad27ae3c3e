"""What a configuration would serve, for people and for programs, and what its operator should think about again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attrs import frozen

from coral_gate.config.hosts import address, covers
from coral_gate.config.sections.links import LinkConfig, TCPLinkConfig, UnixLinkConfig

if TYPE_CHECKING:
    from coral_gate.config import Config
    from coral_gate.config.sections.listen import ListenConfig
    from coral_gate.config.sections.sandbox import SandboxConfig


@frozen
class Served:
    """What would be served, in words and as facts."""

    _config: Config

    def facts(self) -> dict[str, object]:
        """For programs: names and addresses, no secret."""
        gate = self._config.gate
        return {
            "portal_origin": str(gate.portal_origin),
            "sandbox_site": str(gate.sandbox_site),
            "listeners": [_listener_facts(listener) for listener in self._config.listeners],
            "sandboxes": [self._sandbox_facts(sandbox) for sandbox in self._config.sandboxes],
            "warnings": list(self.warnings()),
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        gate = self._config.gate
        yield f"portal     {gate.portal_origin}"
        yield f"sandboxes  {gate.sandbox_site.below('<id>')}"
        for listener in self._config.listeners:
            channels = ", ".join(kind.value for kind in listener.channels)
            yield f"listen     {listener.endpoint}  {'TLS' if listener.tls else 'no TLS'}, serves {channels}"
        for sandbox in self._config.sandboxes:
            sign_in = "open to everybody" if sandbox.open else "sign-in needed"
            yield f"sandbox    {self._origin(sandbox)}  {sandbox.name}, {_link(sandbox.app)}, {sign_in}"

    def warnings(self) -> Iterator[str]:
        """What is allowed and may still be a mistake."""
        if self._config.gate.public_suffix:
            yield "gate.public_suffix: nothing checks that browsers treat the portal and the sandboxes as two sites."
        yield from self._uncovered()
        for sandbox in self._config.sandboxes:
            if sandbox.open:
                yield f"sandbox {sandbox.id} is open to everybody who can use this machine."
            if isinstance(sandbox.app, TCPLinkConfig) and _leaves_unencrypted(sandbox.app):
                yield f"sandbox {sandbox.id}: its link to {sandbox.app.host} is not encrypted; whoever is on the way reads everything."

    def _uncovered(self) -> Iterator[str]:
        """The hosts that no certificate is for."""
        if not any(listener.tls for listener in self._config.listeners):
            return
        names = [name for certificate in self._config.tls.certificates for name in certificate.names]
        gate = self._config.gate
        for host in (gate.portal_origin.host, *(gate.sandbox_site.below(label).host for label in self._labels())):
            if not any(covers(name, host) for name in names):
                yield f"no [[tls.certificate]] names {host}."

    def _labels(self) -> list[str]:
        return [sandbox.id for sandbox in self._config.sandboxes] or ["*"]

    def _origin(self, sandbox: SandboxConfig) -> str:
        return str(self._config.gate.sandbox_site.below(sandbox.id))

    def _sandbox_facts(self, sandbox: SandboxConfig) -> dict[str, object]:
        origin, link = self._origin(sandbox), _link(sandbox.app)
        return {"id": sandbox.id, "name": sandbox.name, "origin": origin, "app": link, "open": sandbox.open}


def _listener_facts(listener: ListenConfig) -> dict[str, object]:
    return {"endpoint": listener.endpoint, "tls": listener.tls, "channels": [kind.value for kind in listener.channels]}


def _link(link: LinkConfig) -> str:
    if isinstance(link, UnixLinkConfig):
        return f"unix:{link.path}"
    host = f"[{link.host}]" if ":" in link.host else link.host
    return f"{'tcp' if isinstance(link, TCPLinkConfig) else 'tls'}:{host}:{link.port}"


def _leaves_unencrypted(link: TCPLinkConfig) -> bool:
    literal = address(link.host)
    return not literal.is_loopback if literal is not None else link.host != "localhost"
