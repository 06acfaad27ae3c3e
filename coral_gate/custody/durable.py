"""
Writing and destroying small files so that a crash or a loss of power leaves the old state or the new one.

Every function here needs the folder's lock to be held.
"""

from __future__ import annotations

from typing import Final

from coral_gate.custody.folder import Files

_NEW: Final = ".new-"
_DYING: Final = ".dying-"


def write(files: Files, name: str, content: bytes) -> None:
    """
    Put a file in place, or in the place of another; when this returns it is on stable storage.

    :raises OSError: it is not; the old file, or none, is still there.
    """
    new = _NEW + name
    if files.read(new) is not None:
        files.unlink(new)
    files.create(new, content)
    files.sync(new)
    files.rename(new, name)
    files.sync_names()


def shred(files: Files, name: str) -> None:
    """
    Destroy a file: its name goes first, for good; then its bytes are overwritten.

    File systems that copy on write, journals, flash storage and snapshots keep bytes that were overwritten: this alone
    is no promise that nothing is left on the medium.

    :raises OSError: it could not be finished; `recover` does the rest.
    """
    files.rename(name, _DYING + name)
    files.sync_names()
    _wipe(files, _DYING + name)


def recover(files: Files) -> None:
    """Finish what a crash left behind: half-written files go, half-destroyed ones too."""
    for name in files.names():
        if name.startswith((_NEW, _DYING)):
            _wipe(files, name)


def _wipe(files: Files, name: str) -> None:
    files.overwrite(name, bytes(len(files.read(name) or b"")))
    files.sync(name)
    files.unlink(name)
    files.sync_names()
