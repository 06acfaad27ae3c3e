"""Links to unix sockets."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import deferLater

from coral_gate.errors import UpstreamUnreachable
from coral_gate.interfaces import ILink
from coral_gate.sandboxes.unix import UNIXLink
from tests.integration.listening import Listening, reactor
from tests.sandboxes.link_contract import EchoEnd, Ends, LinkContract


class UNIXLinkContractTests(LinkContract, Listening):
    """UNIXLink."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(self.folder.rmdir)

    def serve(self, factory: IProtocolFactory) -> ILink:
        port = reactor.listenUNIX(str(self.folder / "app.sock"), factory, mode=0o600)
        self.addCleanup(port.stopListening)
        return UNIXLink(reactor, folder=self.folder, path="app.sock")

    def unreachable(self) -> ILink:
        return UNIXLink(reactor, folder=self.folder, path="app.sock")

    def hanging(self) -> None:
        """Where too many wait already a unix socket refuses at once."""
        return None


class UNIXLinkTests(Listening):
    """What is particular to unix sockets."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(self.remove)
        self.servers = Ends(EchoEnd)

    def remove(self) -> None:
        for found in sorted(self.folder.rglob("*"), reverse=True):
            found.rmdir() if found.is_dir() and not found.is_symlink() else found.unlink()
        self.folder.rmdir()

    def listen_unix(self, path: str = "app.sock", mode: int = 0o600) -> Path:
        """A unix service's path."""
        where = self.folder / path
        where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        port = reactor.listenUNIX(str(where), self.servers, mode=mode)
        self.addCleanup(port.stopListening)
        return where

    def link(self, path: str = "app.sock", **rest: int) -> UNIXLink:
        return UNIXLink(reactor, folder=self.folder, path=path, **rest)

    async def test_in_a_folder(self) -> None:
        """A socket in a folder below the one is dialled, however long its path."""
        name = "d" * 100
        os.makedirs(self.folder / name, 0o700)
        listening = socket.socket(socket.AF_UNIX)
        descriptor = os.open(self.folder / name, os.O_PATH)
        listening.bind(f"/proc/self/fd/{descriptor}/app.sock")
        self.addCleanup(os.close, descriptor)
        listening.listen()
        listening.setblocking(False)
        port = reactor.adoptStreamPort(listening.fileno(), socket.AF_UNIX, self.servers)
        listening.close()
        self.addCleanup(port.stopListening)
        (self.folder / name / "app.sock").chmod(0o600)
        await self.echoes(self.link(f"{name}/app.sock"))

    def test_paths_that_lead_out(self) -> None:
        """A path that is absolute, or has a part that leads elsewhere, is a mistake at once."""
        for path in ("/run/app.sock", "../app.sock", "a/../app.sock", "a/..", ".", "./app.sock", "", "a//b", "a/", "a\0b"):
            self.assertRaises(ValueError, self.link, path)

    async def test_a_symbolic_link(self) -> None:
        """A symbolic link to a socket is refused, and so is one on the way."""
        where = self.listen_unix()
        (self.folder / "link.sock").symlink_to(where)
        (self.folder / "here").symlink_to(self.folder)
        self.assertEqual(await self.refused(self.link("link.sock")), "symbolic-link")
        self.assertEqual(await self.refused(self.link("here/app.sock")), "symbolic-link")

    async def test_not_a_socket(self) -> None:
        """A file and a folder are no sockets, and a socket is no folder."""
        self.listen_unix()
        (self.folder / "file").touch(0o600)
        (self.folder / "folder").mkdir(0o700)
        for path in ("file", "folder", "app.sock/x", "file/x"):
            self.assertEqual(await self.refused(self.link(path)), "socket-kind")

    async def test_world_writable(self) -> None:
        """A socket or a folder to which anyone may write is refused, also with the sticky bit."""
        where = self.listen_unix("in/app.sock")
        await self.echoes(self.link("in/app.sock"))
        for wrong in (where, where.parent, self.folder):
            before = stat.S_IMODE(wrong.stat().st_mode)
            wrong.chmod(0o1777)
            self.assertEqual(await self.refused(self.link("in/app.sock")), "socket-mode")
            wrong.chmod(before)
        await self.echoes(self.link("in/app.sock"))

    async def test_another_owner(self) -> None:
        """A socket or a folder of another user's is refused."""
        where = self.listen_unix("in/app.sock")
        for wrong in (where, where.parent, self.folder):
            os.chown(wrong, 12345, -1)
            self.assertEqual(await self.refused(self.link("in/app.sock")), "socket-owner")
            os.chown(wrong, os.geteuid(), -1)
        await self.echoes(self.link("in/app.sock"))

    async def test_who_listens(self) -> None:
        """Where it is known who listens, another listener is refused before any protocol sees it."""
        self.listen_unix()
        await self.echoes(self.link(peer_uid=os.geteuid()))
        self.assertEqual(await self.refused(self.link(peer_uid=12345)), "peer-uid")

    async def test_looked_at_each_time(self) -> None:
        """A socket that was fine once is looked at again."""
        where = self.listen_unix()
        link = self.link()
        await self.echoes(link)
        where.chmod(0o666)
        self.assertEqual(await self.refused(link), "socket-mode")

    async def test_no_descriptor_is_left(self) -> None:
        """Neither a stream nor a refusal nor an absent socket leaves a descriptor open."""
        where = self.listen_unix("in/app.sock")
        await deferLater(reactor, 0)  # the reactor runs, and has opened what it needs for itself
        before = len(os.listdir("/proc/self/fd"))
        await self.echoes(self.link("in/app.sock"))
        for path in ("in/nothing", "nothing/app.sock", "in", "in/app.sock/x"):
            with self.assertRaises(UpstreamUnreachable):
                await self.link(path).connect(Ends())
        where.chmod(0o666)
        await self.refused(self.link("in/app.sock"))
        for theirs in self.servers.built:
            await theirs.until(lambda theirs=theirs: theirs.ended is not None)  # type: ignore[misc]  # bound now
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    async def test_a_full_queue(self) -> None:
        """A service that takes no more connections is unreachable, at once."""
        self.full(socket.AF_UNIX, str(self.folder / "full.sock"))
        (self.folder / "full.sock").chmod(0o600)
        with self.assertRaises(UpstreamUnreachable):
            await self.link("full.sock").connect(Ends())


if os.geteuid() != 0:
    UNIXLinkTests.test_another_owner.skip = "needs root, who alone can give files away"  # type: ignore[attr-defined]  # trial reads it
