"""Private folders, and the steps they offer."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.custody.folder import MAX_FILE_BYTES, Files, PrivateFolder, UnfitFolder
from coral_gate.custody.memory_files import MemoryFiles
from tests.custody import contract


def opened(path: Path) -> PrivateFolder:
    folder = PrivateFolder(path)
    folder.open()
    return folder


class MemoryFilesTests(contract.FilesContract):
    """Files in memory."""

    def make(self) -> Files:
        return MemoryFiles()


class PrivateFolderTests(contract.FilesContract):
    """Files on disk."""

    def make(self) -> Files:
        self.path = Path(self.mktemp())
        folder = opened(self.path)
        self.addCleanup(folder.close)
        return folder

    def test_modes(self) -> None:
        """Nobody but the owner can get into the folder, or read a file in it."""
        self.files.create("key", b"x")
        with self.files.locked():
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in self.path.iterdir()}
        self.assertEqual((stat.S_IMODE(self.path.stat().st_mode), modes), (0o700, {"key": 0o600, ".lock": 0o600}))

    def test_lock_is_no_file(self) -> None:
        """The lock is not among the names."""
        with self.files.locked():
            self.assertEqual(self.files.names(), ())

    def test_bounded(self) -> None:
        """Reading a file that somebody made huge takes no more than a bound."""
        (self.path / "huge").write_bytes(bytes(MAX_FILE_BYTES + 1))
        self.assertEqual(len(self.files.read("huge") or b""), MAX_FILE_BYTES)

    def test_links_and_pipes(self) -> None:
        """Links are not followed, and are no names; a pipe does not block."""
        (self.path / "target").write_bytes(b"secret")
        (self.path / "link").symlink_to("target")
        os.mkfifo(self.path / "pipe")
        self.assertEqual(self.files.names(), ("target",))
        self.assertRaises(OSError, self.files.read, "link")
        self.assertRaises(OSError, self.files.overwrite, "link", b"x")
        self.assertEqual(self.files.read("pipe"), b"")

    def test_closed(self) -> None:
        """Before it is opened, and after it is closed, nothing can be done in a folder, and nowhere else either."""
        folder = PrivateFolder(Path(self.mktemp()))
        for _ in range(2):
            steps: list[Callable[[], object]] = [folder.names, folder.sync_names, folder.locked().__enter__]
            steps += [lambda: folder.read("x"), lambda: folder.create("x", b""), lambda: folder.rename("x", "y")]
            for step in steps:
                self.assertRaises(OSError, step)
            folder.open()
            folder.close()
            folder.close()

    def test_moved_away(self) -> None:
        """Another folder under the same name is not written to."""
        self.path.rename(self.path.with_name("moved"))
        self.path.mkdir()
        self.files.create("key", b"x")
        self.assertEqual(list(self.path.iterdir()), [])
        (self.path.with_name("moved") / "key").unlink()

    def test_another_process(self) -> None:
        """Whoever asks for the lock while it is held waits for it."""
        entered = threading.Event()
        other = opened(self.path)
        self.addCleanup(other.close)

        def enter() -> None:
            with other.locked():
                entered.set()

        thread = threading.Thread(target=enter)
        with self.files.locked():
            thread.start()
            self.assertFalse(entered.wait(0.05))
        thread.join(10)
        self.assertTrue(entered.is_set())


class UnfitTests(SynchronousTestCase):
    """Folders that must not hold keys."""

    def test_open_to_others(self) -> None:
        """A folder that others can enter or list is refused, with what to do."""
        for mode in (0o750, 0o701, 0o770):
            path = Path(self.mktemp())
            path.mkdir()
            path.chmod(mode)
            self.assertIn(f"has mode {mode:04o}", str(self.assertRaises(UnfitFolder, opened, path)))

    def test_of_another(self) -> None:
        """A folder of another user is refused."""
        path = Path(self.mktemp())
        path.mkdir(mode=0o700)
        self.patch(os, "geteuid", lambda: path.stat().st_uid + 1)
        self.assertIn("belongs to another user", str(self.assertRaises(UnfitFolder, opened, path)))

    def test_no_folder(self) -> None:
        """A link, a file, and a folder whose parent is missing are refused."""
        path = Path(self.mktemp())
        self.assertRaises(OSError, opened, path / "deep")
        path.mkdir(mode=0o700)
        link = Path(self.mktemp())
        link.symlink_to(path.absolute())
        self.assertRaises(OSError, opened, link)
        (path / "file").touch()
        self.assertRaises(OSError, opened, path / "file")
