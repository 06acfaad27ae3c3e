"""`coral-gate check` says every mistake, or what would be served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.cli.exits import Exit
from tests.cli.test_main import command
from tests.config.texts import CERTIFICATE, GATE, ID, INSIDE, PIN, sandbox

ALLOW = '[links]\nallow = ["127.0.0.1"]\n'
TRY_OUT = INSIDE + ALLOW + sandbox('kind = "tcp", host = "127.0.0.1", port = 9000', more="open = true")


class CheckTests(SynchronousTestCase):
    """What is printed, where, and with which exit code."""

    def file(self, text: str) -> str:
        """A configuration file."""
        path = Path(self.mktemp()).absolute()
        path.write_text(text)
        return str(path)

    def facts(self, text: str) -> tuple[int, Any]:
        """The exit code, and what `--json` prints."""
        code, out, _ = command("check", "--json", "--config", self.file(text))
        return code, json.loads(out)

    def test_problems(self) -> None:
        """Each problem is a line on stderr, and the exit code is 78."""
        name = self.file(INSIDE + '[log]\nlevel = "loud"\nformt = "json"\n')
        self.assertEqual(
            command("check", "--config", name),
            (
                Exit.CONFIGURATION,
                "",
                f'{name}:8: log.level: Found "loud"; expected "debug", "info", "warn" or "error".\n'
                f'{name}:9: log.formt: There is no such key here. Did you mean "format"?\n',
            ),
        )

    def test_problems_as_json(self) -> None:
        """For programs each problem is an object with its file, line, key, sentence and hint."""
        name = self.file(INSIDE + "[log]\nformt = 1\n")
        code, out, err = command("check", "--json", "-c", name)
        self.assertEqual((code, err), (Exit.CONFIGURATION, ""))
        problem = {"file": name, "line": 8, "key": "log.formt", "what": "There is no such key here.", "hint": 'Did you mean "format"?'}
        self.assertEqual(json.loads(out), {"ok": False, "problems": [problem]})

    def test_problem_without_a_line(self) -> None:
        """A file that is not there has no line."""
        name = str(Path(self.mktemp()).absolute())
        code, out, _ = command("check", "--json", "-c", name)
        [problem] = json.loads(out)["problems"]
        self.assertEqual((code, problem["file"], problem["line"], problem["key"]), (Exit.CONFIGURATION, name, None, ""))

    def test_served(self) -> None:
        """A sound configuration: origins, listeners and sandboxes on stdout, warnings on stderr, and the exit code is 0."""
        code, out, err = command("check", "--config", self.file(TRY_OUT))
        self.assertEqual(code, Exit.OK)
        self.assertEqual(
            out,
            "portal     https://gate.localhost:8443\n"
            "sandboxes  https://<id>.sbx.localhost:8443\n"
            "listen     tcp:8080:interface=127.0.0.1  no TLS, serves portal, http, control\n"
            f"sandbox    https://{ID}.sbx.localhost:8443  Try-out 0, tcp:127.0.0.1:9000, open to everybody\n",
        )
        self.assertEqual(err, f"warning: sandbox {ID} is open to everybody who can use this machine.\n")

    def test_served_as_json(self) -> None:
        """The same for programs."""
        code, facts = self.facts(TRY_OUT)
        self.assertEqual(code, Exit.OK)
        self.assertEqual(
            facts,
            {
                "ok": True,
                "portal_origin": "https://gate.localhost:8443",
                "sandbox_site": "https://sbx.localhost:8443",
                "listeners": [{"endpoint": "tcp:8080:interface=127.0.0.1", "tls": False, "channels": ["portal", "http", "control"]}],
                "sandboxes": [
                    {
                        "id": ID,
                        "name": "Try-out 0",
                        "origin": f"https://{ID}.sbx.localhost:8443",
                        "app": "tcp:127.0.0.1:9000",
                        "open": True,
                    }
                ],
                "warnings": [f"sandbox {ID} is open to everybody who can use this machine."],
            },
        )

    def test_links(self) -> None:
        """Each kind of link is shown by its target alone; one that leaves the machine unencrypted is warned of."""
        text = INSIDE + sandbox('kind = "tcp", host = "10.0.0.5", port = 80, insecure_plaintext = true')
        text += sandbox(f'kind = "tls", host = "fd00::1", port = 443, pin = "{PIN}"', number=1)
        text += sandbox('kind = "unix", path = "a.sock"', number=2)
        _, facts = self.facts(text)
        self.assertEqual([one["app"] for one in facts["sandboxes"]], ["tcp:10.0.0.5:80", "tls:[fd00::1]:443", "unix:a.sock"])
        self.assertEqual(
            facts["warnings"], [f"sandbox {ID}: its link to 10.0.0.5 is not encrypted; whoever is on the way reads everything."]
        )

    def test_public_suffix(self) -> None:
        """The operator's word about the public suffix list is repeated to them."""
        text = GATE.replace("https://sandboxes.example.net", "https://sbx.gate2.example").replace("gate.example", "a.gate2.example")
        _, facts = self.facts(text + 'public_suffix = true\n[[listen]]\nendpoint = "unix:/run/x"\ntls = false\n')
        self.assertIn("gate.public_suffix: nothing checks", facts["warnings"][0])

    def test_certificates_are_read(self) -> None:
        """A certificate that is not there is a problem, as it is when the daemon starts."""
        code, facts = self.facts(INSIDE.replace("tls = false", "tls = true") + CERTIFICATE)
        self.assertEqual((code, facts["ok"], facts["problems"][0]["key"]), (Exit.CONFIGURATION, False, "tls.certificate"))

    def test_default_file(self) -> None:
        """The verb is in the help and takes the arguments that every verb takes."""
        code, out, _ = command("check", "--help")
        self.assertEqual(code, Exit.OK)
        self.assertIn("/etc/coral-gate/coral-gate.toml", out)
