"""A link to a unix socket on the gate's machine."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import Final

from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, ITCPTransport
from zope.interface import implementer

from coral_gate.interfaces import ILink
from coral_gate.sandboxes.attempt import Attempt, ILinkReactor, LinkRefused
from coral_gate.sandboxes.sockets import open_socket, parts

_UCRED: Final = struct.Struct("iII")


@implementer(ILink)
class UNIXLink:
    """
    A unix socket inside one folder; who owns it, and the folders on the way to it, are looked at on each connection.

    :param folder: the folder that holds every socket that links may dial.
    :param path: the socket, relative to `folder`.
    :param peer_uid: who must be listening, where that is known.
    :raises ValueError: `path` leads out of `folder`.
    """

    label = "unix"
    plaintext = False

    def __init__(self, reactor: ILinkReactor, *, folder: Path, path: str, peer_uid: int | None = None) -> None:
        self._reactor = reactor
        self._folder = folder
        self._path = parts(path)
        self._peer_uid = peer_uid

    async def connect(self, factory: IProtocolFactory) -> IProtocol:
        """See `ILink`; raises `LinkRefused` where the socket, or who listens on it, is not to be trusted."""
        descriptor = open_socket(self._folder, self._path)
        try:
            # Not by its path, which might have become another socket's by now.
            address = f"/proc/self/fd/{descriptor}"
            attempt = Attempt(self._reactor, factory, self._greet)
            # The types do not know that a timeout may be None.
            return await attempt.dial(lambda attempt: self._reactor.connectUNIX(address, attempt, timeout=None))  # type: ignore[arg-type]
        finally:
            os.close(descriptor)

    def _greet(self, attempt: Attempt, transport: ITCPTransport, address: IAddress) -> IProtocol:
        if self._peer_uid is not None and _listener_uid(transport) != self._peer_uid:
            raise LinkRefused("peer-uid")
        protocol = attempt.build(address)
        attempt.open_soon(protocol)
        return protocol


def _listener_uid(transport: ITCPTransport) -> int:
    """Who called listen() on the socket that a transport is connected to (unix(7), SO_PEERCRED)."""
    connected: socket.socket = transport.getHandle()  # type: ignore[attr-defined]  # a system transport's own method
    _, uid, _ = _UCRED.unpack(connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(uid)
