"""`[local]`: sandboxes on the gate's own machine."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config import parse
from tests.config.texts import told

LISTEN = '[[listen]]\nendpoint = "tcp:8443:interface=127.0.0.1"\n'
GATE = '[gate]\nportal_origin = "https://gate.localhost"\nsandbox_site = "https://sbx.localhost"\nstate_directory = "/state"\n'
LOCAL = '[local]\nnode = "/n/node"\nopenclaw = "o.mjs"\n'


class LocalTests(SynchronousTestCase):
    """The section and what must hold for it."""

    def test_defaults(self) -> None:
        """It is off unless it is there; then its folder lies in the state directory."""
        self.assertIsNone(parse(GATE + LISTEN, "/etc/x.toml").local)
        local = parse(GATE + LISTEN + LOCAL, "/etc/x.toml").local
        assert local is not None
        self.assertEqual((local.node, local.openclaw, local.folder), (Path("/n/node"), Path("/etc/o.mjs"), Path("/state/sandboxes")))
        self.assertEqual((local.uids, local.model_url, local.start_s), (None, None, 120.0))

    def test_inside_only(self) -> None:
        """A listener that others reach, or a name outside of .localhost, refuses it."""
        for endpoint in ("tcp:443", "tcp:443:interface=10.0.0.1", "unix:/run/gate.sock"):
            text = f'{GATE}{LISTEN}[[listen]]\nendpoint = "{endpoint}"\n{LOCAL}[[tls.certificate]]\n'
            text += 'names = ["gate.localhost", "*.sbx.localhost"]\ncertificate = "c"\nkey = "k"\n'
            [line] = told(text)
            self.assertIn("local: Sandboxes on the gate's own machine are for trying out and a listener", line)
        for name in ("gate.localhost", "sbx.localhost"):
            text = GATE.replace(name, name.replace("localhost", "example")) + LISTEN + LOCAL
            self.assertTrue([line for line in told(text) if "a name does not end in .localhost" in line], name)

    def test_uids(self) -> None:
        """A range of ordinary user ids; 0 is never among them."""
        local = parse(GATE + LISTEN + LOCAL + 'uids = "200000-200002"\n', "/etc/x.toml").local
        assert local is not None
        self.assertEqual(local.uids, range(200000, 200003))
        for wrong in ("0-10", "1-1000", "3000-2000", "2000", "-1-5", "1000-2147483648", "1000-2000 "):
            [line] = told(GATE + LISTEN + LOCAL + f'uids = "{wrong}"\n')
            self.assertIn("local.uids", line)

    def test_model(self) -> None:
        """A model's address has neither a user nor a query in it; a key without a model is a mistake."""
        for wrong in ("ftp://x/v1", "https://user:word@x/v1", "https://x/v1?key=1", "https://x/v1#a", "x"):
            [line] = told(GATE + LISTEN + LOCAL + f'model_url = "{wrong}"\n')
            self.assertIn("local.model_url", line)
        self.assertEqual(told(GATE + LISTEN + LOCAL + 'model_url = "http://127.0.0.1:9001/v1"\nmodel_key = "file:k"\n'), [])
        [line] = told(GATE + LISTEN + LOCAL + 'model_key = "file:k"\n')
        self.assertIn("no model that this key is for", line)
