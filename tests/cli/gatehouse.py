"""A configuration on disk that commands about keys and credentials work on."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from coral_gate.cli.beside import Beside, beside_the_daemon
from coral_gate.cli.finished import finished
from coral_gate.config import load
from coral_gate.model import SandboxId, Secret, ServiceName, UserId

T = TypeVar("T")

ANN = UserId("https://issuer.example", "ann")
BOX = SandboxId("a" * 26)
OPEN_BOX = SandboxId("b" * 26)
_TEXT = """\
[gate]
portal_origin = "https://gate.localhost:8443"
sandbox_site = "https://sbx.localhost:8443"
state_directory = "state"
[[listen]]
endpoint = "tcp:8080:interface=127.0.0.1"
tls = false
[[sandbox]]
id = "{box}"
name = "Ann's"
app = {{ kind = "tcp", host = "10.1.2.3", port = 9000, insecure_plaintext = true }}
owner = {{ issuer = "https://issuer.example", subject = "ann" }}
[[sandbox]]
id = "{open_box}"
name = "Nobody's"
app = {{ kind = "tcp", host = "10.1.2.3", port = 9001, insecure_plaintext = true }}
open = true
[keys]
master = "file:master.key"
{more}
"""


class Gatehouse:
    """
    A folder with a configuration and a master key.

    :param more: further lines of the section `[keys]`.
    """

    def __init__(self, folder: Path, more: str = "", master: bytes | None = None) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir()
        self.config = self.folder / "gate.toml"
        self.config.write_text(_TEXT.format(box=BOX, open_box=OPEN_BOX, more=more))
        self.master = self.folder / "master.key"
        self.set_master(master or os.urandom(32).hex().encode())

    def set_master(self, key: bytes) -> None:
        """Put a master key in the place of the one there is."""
        self.master.write_bytes(key)
        self.master.chmod(0o600)

    @contextmanager
    def beside(self) -> Iterator[Beside]:
        """What the commands work on."""
        with beside_the_daemon(load(self.config)) as beside:
            yield beside

    def opened(self, sandbox: SandboxId = BOX, service: ServiceName = ServiceName.APP, owner: UserId = ANN) -> bytes | None:
        """A credential as the gate would open it."""
        with self.beside() as beside:
            secret: Secret | None = finished(beside.custody.vault.open(owner, sandbox, service))
        return None if secret is None else secret.reveal()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """What something gives."""
        return finished(work)
