"""The try-out's certificate."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config.sections.tls import TLSConfig
from coral_gate.edge.self_signed import self_signed
from coral_gate.edge.tls import Certificates
from coral_gate.errors import ConfigError

NAMES = ("gate.localhost", "*.sbx.localhost")


class SelfSignedTests(SynchronousTestCase):
    """Made once, kept, and for nothing but trying out."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()) / "tls"

    def test_made_and_kept(self) -> None:
        """It is made at the first start, usable, its key for its user alone, and the same at the next start."""
        made = self_signed(self.folder, NAMES)
        Certificates(TLSConfig(certificates=(made,)), "test")
        self.assertEqual(stat.S_IMODE(made.key.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.folder.stat().st_mode), 0o700)
        before = made.certificate.read_bytes()
        self.assertEqual(self_signed(self.folder, NAMES).certificate.read_bytes(), before)

    def test_state_folder(self) -> None:
        """The state folder that it makes on the way is for the daemon's user alone, as the daemon then wants it."""
        self_signed(self.folder, NAMES)
        self.assertEqual(stat.S_IMODE(self.folder.parent.stat().st_mode), 0o700)

    def test_renewed(self) -> None:
        """It is made anew before it ends, for other names, and where it is damaged."""
        first = self_signed(self.folder, NAMES).certificate.read_bytes()
        later = datetime.now(UTC) + timedelta(days=390)
        second = self_signed(self.folder, NAMES, later).certificate.read_bytes()
        third = self_signed(self.folder, ("other.localhost",)).certificate.read_bytes()
        (self.folder / "certificate.pem").write_text("nonsense")
        fourth = self_signed(self.folder, ("other.localhost",)).certificate.read_bytes()
        self.assertEqual(len({first, second, third, fourth}), 4)

    def test_only_for_trying_out(self) -> None:
        """No name outside .localhost, and a folder that cannot be used is said so."""
        self.assertRaises(ValueError, self_signed, self.folder, ("gate.example",))
        self.folder.parent.mkdir(parents=True)
        self.folder.write_text("a file")
        self.assertRaises(ConfigError, self_signed, self.folder, NAMES)
