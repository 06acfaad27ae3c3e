"""`[tls]`: certificates and protocol versions toward browsers."""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen

from coral_gate.config.definitions import key
from coral_gate.config.hosts import host_pattern
from coral_gate.config.kinds import Choice, FilePath, ListOf, Spelled
from coral_gate.config.tables import Table, Tables


@frozen(kw_only=True)
class CertificateConfig:
    """
    A certificate and the names it is shown for.

    The portal needs one for its host, the sandboxes one for `*.` and their site; one certificate may hold both.
    """

    names: tuple[str, ...] = field(
        metadata=key(
            "names",
            ListOf(Spelled('a host name such as "gate.example" or "*.sandboxes.example"', host_pattern, str), "host names", least=1),
            "The names that a browser may ask for (SNI): host names, or `*.` and a host name for exactly one label more.",
            since="0.1",
        )
    )
    certificate: Path = field(metadata=key("certificate", FilePath(), "A PEM file: the certificate first, then its chain.", since="0.1"))
    key: Path = field(metadata=key("key", FilePath(), "A PEM file with the private key, readable by the daemon's user alone.", since="0.1"))


@frozen(kw_only=True)
class TLSConfig:
    """TLS toward browsers."""

    minimum: str = field(
        default="1.2",
        metadata=key(
            "minimum",
            Choice({"1.2": "1.2", "1.3": "1.3"}),
            "The oldest version of TLS that is spoken. All browsers since 2020 speak 1.3.",
            since="0.1",
        ),
    )
    certificates: tuple[CertificateConfig, ...] = field(
        default=(),
        metadata=key(
            "certificate",
            Tables(Table(CertificateConfig)),
            """
            The certificates; at least one as soon as a listener does TLS. Where the portal and the sandboxes are below
            `.localhost` none is needed: one is made at the first start and kept in the state directory.
            """,
            since="0.1",
        ),
    )
