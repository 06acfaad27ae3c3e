"""Which programs integration tests need, and what to say where one is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_LIST = Path(__file__).with_name("debian-packages.txt")
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def packages() -> dict[str, str]:
    """Program to the Debian package that brings it."""
    lines = (line.split("#")[0].split() for line in _LIST.read_text().splitlines())
    return {program: words[0] for words in lines if words for program in words[1:]}


def program(name: str) -> str:
    """
    The path of an installed program, also from the folders of system programs.

    :raises KeyError: the program is not in `debian-packages.txt`.
    :raises FileNotFoundError: it is not installed.
    """
    package = packages()[name]
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise FileNotFoundError(f"needs {name} (Debian package {package})")
    return found


def needs(*names: str) -> str | None:
    """
    Why a test cannot run here, for its `skip` attribute, or None.

    A class sets it only where there is a reason::

        if why := needs("openssl"):
            skip = why

    :raises KeyError: a program is not in `debian-packages.txt`, so that no machine would ever get it.
    """
    for name in names:
        try:
            program(name)
        except FileNotFoundError as lack:
            return str(lack)
    return None
