"""
Check values of master keys, kept beside the users' keys that those wrap.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import define

from coral_gate.custody import durable
from coral_gate.custody.folder import Files

_NAME: Final = re.compile(r"master-([1-9][0-9]{0,9})\.check\Z")


@define
class FolderChecks:
    """A file for each version: `master-2.check`."""

    _files: Files

    def read_all(self) -> dict[int, bytes]:
        """See `MasterChecks.read_all`."""
        found = {}
        for name in self._files.names():
            match = _NAME.match(name)
            if match:
                found[int(match[1])] = self._files.read(name) or b""
        return found

    def write(self, version: int, sealed: bytes) -> None:
        """See `MasterChecks.write`; a value that is there already stays."""
        name = f"master-{version}.check"
        with self._files.locked():
            if self._files.read(name) is None:
                durable.write(self._files, name, sealed)
