"""
The whole house on this machine: the daemon behind TLS, an issuer with pages of its own, sandboxes, and Chromium.
"""

from __future__ import annotations

import atexit
import base64
import functools
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests import ROOT
from tests.integration.browser.devtools import Chromium
from tests.integration.browser.hostile_site import HostileSite
from tests.integration.browser.quiet import sign_in_quietly
from tests.integration.browser.tab import Profile
from tests.integration.daemon import free_port
from tests.integration.needs import program
from tests.integration.node_origin import NODE
from tests.integration.oidc.node_issuer import installed
from tests.portal.payloads import PAYLOADS

MINE, SECOND, THEIRS = "m" * 26, "n" * 26, "t" * 26
"""Two sandboxes of alice's and one of mallory's."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_START_S = 20
_NAMES = [payload for payload in PAYLOADS if len(payload) <= 64]


@define(eq=False)
class House:
    """
    Everything that runs.

    :ivar port: of the daemon, behind TLS.
    :ivar plain_port: of the same daemon, without.
    :ivar site: what runs in every sandbox.
    """

    folder: Path
    port: int = field(factory=free_port)
    plain_port: int = field(factory=free_port)
    site: HostileSite = field(factory=HostileSite)
    browser: Chromium = field(init=False)
    issuer_port: int = field(init=False)
    site_port: int = field(init=False)
    _processes: list[subprocess.Popen[bytes]] = field(factory=list)

    @property
    def portal(self) -> str:
        """The portal's origin."""
        return f"https://gate.localhost:{self.port}"

    @property
    def issuer(self) -> str:
        """The issuer's origin."""
        return f"http://op.localhost:{self.issuer_port}"

    def sandbox(self, name: str = MINE) -> str:
        """A sandbox's origin."""
        return f"https://{name}.sbx.localhost:{self.port}"

    @property
    def elsewhere(self) -> str:
        """An origin of another site, where the same hostile pages are served without the gate."""
        return f"http://evil.localhost:{self.site_port}"

    def profile(self, subject: str | None = None) -> Profile:
        """A fresh browser of a person; with `subject`, somebody who is signed in at the portal."""
        profile = Profile(self.browser)
        if subject is not None:
            profile.set_cookie(self.portal, "__Host-coral", self.token(subject))
        return profile

    def token(self, subject: str) -> str:
        """A fresh session's token."""
        return sign_in_quietly(self.plain_port, self.portal, self.issuer_port, subject)

    @property
    def log(self) -> str:
        """What the daemon has said."""
        return (self.folder / "log").read_text(errors="replace")

    def audited(self) -> str:
        """The audit log as it stands."""
        return "".join(one.read_text(errors="replace") for one in sorted((self.folder / "state").rglob("*.jsonl")))

    # -- starting ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything; ready when this returns."""
        secret = self._start_issuer()
        (self.folder / "secret").write_text(secret)
        (self.folder / "secret").chmod(0o600)
        self.site_port = self.site.start()
        (self.folder / "coral-gate.toml").write_text(self._configuration(self.site_port))
        self._start_daemon()
        self.browser = Chromium(program("chromium"), (self._key_digest(),))
        self.browser.start()

    def stop(self) -> None:
        """End everything."""
        self.browser.stop()
        self.site.stop()
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()
            process.wait(15)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_issuer(self) -> str:
        folder = installed()
        script = folder / "browser-issuer.js"
        shutil.copy(Path(__file__).with_name("issuer.js"), script)
        words = [str(NODE), str(script), f"{self.portal}/sign-in/callback"]
        process = subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._processes.append(process)
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        self.issuer_port = told["port"]
        return str(told["secret"])

    def _start_daemon(self) -> None:
        words = [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "coral-gate", "--config", "coral-gate.toml"]
        log = (self.folder / "log").open("wb")
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        self._processes.append(subprocess.Popen(words, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, env=environment))
        until = time.monotonic() + _START_S
        while "ready: portal" not in self.log:
            if time.monotonic() > until or self._processes[-1].poll() is not None:
                raise RuntimeError(f"the daemon did not start:\n{self.log}")
            time.sleep(0.05)

    def _key_digest(self) -> str:
        """The digest of the daemon's key, which the browser is told to trust."""
        [file] = (self.folder / "state" / "tls").glob("certificate.pem")
        key = x509.load_pem_x509_certificate(file.read_bytes()).public_key()
        return base64.b64encode(hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()).decode()

    def _configuration(self, app: int) -> str:
        owned = [(MINE, "First machine", "alice"), (SECOND, "Second machine", "alice"), (THEIRS, "Not yours", "mallory")]
        owned += [(f"{'h' * 24}{_LETTERS[n // 32]}{_LETTERS[n % 32]}", name, "hostile") for n, name in enumerate(_NAMES)]
        return "\n".join([
            "[gate]",
            f'portal_origin = "{self.portal}"',
            f'sandbox_site = "https://sbx.localhost:{self.port}"',
            'state_directory = "state"',
            f'[[listen]]\nendpoint = "tcp:{self.port}:interface=127.0.0.1"',
            f'[[listen]]\nendpoint = "tcp:{self.plain_port}:interface=127.0.0.1"\ntls = false',
            '[links]\nallow = ["127.0.0.1"]',
            f'[sign_in]\nissuer = "{self.issuer}"\nissuer_name = "Example"\nclient_id = "coral"\nclient_secret = "file:secret"',
            'scopes = ["openid", "email", "profile"]\nallow_subject = ["alice", "mallory", "hostile"]',
            *(
                f'[[sandbox]]\nid = "{name}"\nname = {json.dumps(shown)}\nspeaks = "http"\n'
                f'app = {{ kind = "tcp", host = "127.0.0.1", port = {app} }}\n'
                f'owner = {{ issuer = "{self.issuer}", subject = "{owner}" }}'
                for name, shown, owner in owned
            ),
        ])  # fmt: skip


@functools.cache
def house() -> House:
    """The one house of this process; it ends with the process."""
    built = House(Path(tempfile.mkdtemp(prefix="coral-house-")))
    atexit.register(built.stop)
    built.start()
    return built
