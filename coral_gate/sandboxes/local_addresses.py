"""Which addresses are this machine's."""

from __future__ import annotations

import errno
import socket

from coral_gate.sandboxes.special_ranges import Address


def is_local(address: Address) -> bool:
    """
    Whether packets to an address stay on this machine: the kernel lets nobody bind to any other.

    Where it does let them (`net.ipv4.ip_nonlocal_bind`), and where it cannot be asked, the answer is yes.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        return error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
    return True
