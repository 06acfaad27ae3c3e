"""
Install the Debian packages that the integration tests need, as root; otherwise say in one line which are missing.

The list is `tests/integration/debian-packages.txt`. Never fails: tests without their programs are skipped, and the test run says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

LIST = Path(__file__).resolve().parent.parent / "tests" / "integration" / "debian-packages.txt"


def wanted() -> list[str]:
    """The packages of the list: the first word of each line that is no comment."""
    lines = (line.split("#")[0].split() for line in LIST.read_text().splitlines())
    return [words[0] for words in lines if words]


def installed(package: str) -> bool:
    """Whether dpkg has it, configured."""
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"


def install(packages: list[str]) -> None:
    """Install with apt-get; on failure show what it said and go on."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "-q", "update"], ["apt-get", "-q", "install", "--yes", "--no-install-recommends", *packages]):
        ran = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if ran.returncode:
            print(f"{' '.join(command)} failed with {ran.returncode}:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}", flush=True)
            return


def main() -> None:
    """Look, and install where that is possible."""
    if shutil.which("dpkg-query") is None:
        print("Not Debian: integration tests whose programs are not installed will be skipped.", flush=True)
        return
    lacking = [package for package in wanted() if not installed(package)]
    if not lacking:
        return
    if os.geteuid() == 0:
        print(f"Installing Debian packages for the integration tests: {' '.join(lacking)} …", flush=True)
        install(lacking)
    else:
        print(f"Not root: tests that need these are skipped. Once, as root: apt-get install {' '.join(lacking)}", flush=True)


if __name__ == "__main__":
    main()
