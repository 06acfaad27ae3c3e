"""Ports of this machine's loopback address: which is free, and who listens on one."""

from __future__ import annotations

import socket
from pathlib import Path


def is_free(port: int) -> bool:
    """Whether a server could listen on it at this moment."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that nobody listens on at this moment; who starts a server there may still come second."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listener_uid(port: int, table: Path = Path("/proc/net/tcp")) -> int | None:
    """Whose socket listens on 127.0.0.1 at a port (proc(5), /proc/net/tcp); None where none does."""
    wanted = f"0100007F:{port:04X}"
    for line in table.read_text().splitlines()[1:]:
        words = line.split()
        if words[1] == wanted and words[3] == "0A":
            return int(words[7])
    return None
