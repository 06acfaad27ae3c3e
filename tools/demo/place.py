"""What the demo keeps in its folder, and the configuration it writes there."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

from tools import openclaw

UIDS = "260000-260999"
"""For root: whom sandboxes run as."""
PORT = 8443


class CannotRun(Exception):
    """The demo cannot run; the text says why and what to do."""


def port_is_free(port: int) -> bool:
    """Whether the gate could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def chosen_port(another: bool) -> int:
    """
    The usual port; where that is taken, another one if the caller may take one.

    :raises CannotRun: it is taken.
    """
    if port_is_free(PORT):
        return PORT
    if not another:
        raise CannotRun(f"Port {PORT} is in use on this machine. Is the demo running already? Otherwise end what uses it.")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configuration(state: Path, port: int, model_url: str, model: str, key: Path | None) -> str:
    """The gate's configuration file."""
    root = os.geteuid() == 0
    sandboxes = openclaw.DEMO / "sandboxes" / state.name
    lines = [
        "# Written by `make demo`, anew at each start.",
        "[gate]",
        f'portal_origin = "https://gate.localhost:{port}"',
        f'sandbox_site = "https://sbx.localhost:{port}"',
        f'state_directory = "{state}"',
        "[[listen]]",
        f'endpoint = "tcp:{port}:interface=127.0.0.1"',
        "[sign_in]",
        "built_in = true",
        "[keys]",
        f'master = "file:{state / "master.key"}"',
        "[local]",
        f'node = "{openclaw.NODE}"',
        f'openclaw = "{openclaw.OPENCLAW}"',
        f'folder = "{sandboxes}"',
        f'model_url = "{model_url}"',
        f'model = "{model}"',
        *([f'uids = "{UIDS}"'] if root else []),
        *([] if key is None else [f'model_key = "file:{key}"']),
    ]
    return "\n".join(lines) + "\n"


def private(path: Path, text: str) -> Path:
    """Write a file for its owner alone."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    os.replace(fresh, path)
    return path
