"""What must hold in each section and between them."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config import parse
from coral_gate.config.sections.links import TCPLinkConfig, TLSLinkConfig, UnixLinkConfig
from coral_gate.model import ChannelKind
from tests.config.texts import CERTIFICATE, GATE, INSIDE, LEAST, LISTEN, PIN, sandbox, told

ALLOW = '[links]\nallow = ["127.0.0.1", "::1"]\n'
UNIX = 'kind = "unix", path = "app.sock"'


class ListenTests(SynchronousTestCase):
    """Listeners and their certificates."""

    def test_tls_needs_a_certificate(self) -> None:
        """A listener that does TLS without any certificate is refused; one that does not needs none."""
        self.assertEqual(
            told(GATE + LISTEN),
            [
                "coral.toml: tls.certificate: A listener does TLS and there is no certificate. "
                "Add a [[tls.certificate]], or set tls = false for the listener."
            ],
        )
        self.assertEqual(told(INSIDE), [])

    def test_channels(self) -> None:
        """A listener may serve some channels only; those that this version lacks are refused as such."""
        config = parse(LEAST.replace('"tcp:443"', '"tcp:443"\nchannels = ["http"]'), "x")
        self.assertEqual(config.listeners[0].channels, (ChannelKind.HTTP,))
        for found, expected in (
            ('["chat"]', "This version does not have that yet."),
            ('["htpp"]', 'Did you mean "http"?'),
            ("[]", "The array is empty; expected at least 1."),
            ('["http", "http"]', 'listen[0].channels[1]: Found "http" twice'),
            ('"http"', "Put it in brackets: [...]."),
            ("[1]", "listen[0].channels[0]: Found the integer 1"),
        ):
            [line] = told(LEAST.replace('"tcp:443"', f'"tcp:443"\nchannels = {found}'))
            self.assertIn(expected, line)


class LimitTests(SynchronousTestCase):
    """Limits fit together."""

    def test_target_in_head(self) -> None:
        """A target is smaller than the head that it stands in."""
        [line] = told(f'{LEAST}[limits]\nhead = "8KiB"\n')
        self.assertEqual(line, "coral.toml:10: limits.target: A target is a part of the head; expected less than head = 8KiB.")

    def test_address_in_all(self) -> None:
        """One address has no more connections than there may be at all."""
        [line] = told(f"{LEAST}[limits]\nconnections = 5\nconnections_per_address = 6\n")
        self.assertIn("coral.toml:12: limits.connections_per_address", line)

    def test_ranges(self) -> None:
        """A value at its bound is taken, one beyond is refused with the bound."""
        self.assertEqual(told(f'{LEAST}[deadlines]\nhead = "10m"\nstop = "100ms"\n[limits]\nfields = 10\nupstream_waiting = 0\n'), [])
        beyond = told(f'{LEAST}[deadlines]\nhead = "601s"\nstop = "99ms"\n[limits]\nfields = 9\nupstream_waiting = -1\n')
        bounds = ['at most "10m"', 'at least "100ms"', "at least 10", "at least 0"]
        self.assertEqual([line.partition("expected ")[2] for line in beyond], [f"{bound}." for bound in bounds])


class LinkTests(SynchronousTestCase):
    """Links say how to reach a service, and refuse what would show a credential to the network."""

    def test_kinds(self) -> None:
        """Each kind of link has its own keys; a link is an inline table or a table of its own."""
        tls = f'kind = "tls", host = "vm.example", port = 8443, pin = "{PIN}", server_name = "app.example"'
        tcp = 'kind = "tcp", host = "::1", port = 9000'
        text = INSIDE + ALLOW + sandbox(UNIX) + sandbox(tls, number=1) + sandbox(tcp, number=2)
        links = [one.app for one in parse(text, "x").sandboxes]
        expected = [
            UnixLinkConfig(path="app.sock"),
            TLSLinkConfig(host="vm.example", port=8443, pin_sha256=bytes([10] * 32), server_name="app.example"),
            TCPLinkConfig(host="::1", port=9000),
        ]
        self.assertEqual(links, expected)
        table = sandbox(UNIX).replace("app = { ", "[sandbox.app]\n").replace(", ", "\n").replace(" }", "")
        self.assertEqual([one.app for one in parse(INSIDE + table, "x").sandboxes], expected[:1])

    def link(self, app: str, more: str = ALLOW) -> list[str]:
        """What is wrong with a link; its sandbox begins on line 9."""
        return told(INSIDE + more + sandbox(app))

    def test_kind_is_needed(self) -> None:
        """A link without a known kind is refused, and so are the keys of another kind."""
        self.assertEqual(
            self.link("port = 1"), ['coral.toml:12: sandbox[0].app.kind: This key is required; expected "tcp", "tls" or "unix".']
        )
        self.assertIn('Did you mean "unix"?', self.link('kind = "unx", path = "a.sock"')[0])
        [line] = self.link(f'kind = "tcp", host = "::1", port = 1, pin = "{PIN}"')
        self.assertIn("sandbox[0].app.pin: There is no such key here.", line)
        [line] = told(INSIDE + ALLOW + sandbox(UNIX).replace(f"{{ {UNIX} }}", '"tcp:127.0.0.1:9000"'))
        self.assertIn('expected a table such as { kind = "tcp", ... }', line)

    def test_plaintext(self) -> None:
        """A plain link goes nowhere but to this machine, unless the operator asks for it in so many words."""
        for host in ("127.0.0.1", "::1", "localhost"):
            self.assertEqual(self.link(f'kind = "tcp", host = "{host}", port = 1'), [])
        for host in ("10.0.0.5", "2001:db8::1", "vm.example", "sub.localhost", "localhost.example"):
            [line] = self.link(f'kind = "tcp", host = "{host}", port = 1')
            self.assertIn("coral.toml:12: sandbox[0].app: This link leaves the machine unencrypted", line)
            self.assertEqual(self.link(f'kind = "tcp", host = "{host}", port = 1, insecure_plaintext = true'), [])

    def test_ports_and_pins(self) -> None:
        """A port is 1 to 65535, a pin is 64 lower-case hexadecimal digits and never missing."""
        for port in ("0", "65536", "-1", "1.5", '"80"', "true"):
            [line] = self.link(f'kind = "tcp", host = "::1", port = {port}')
            self.assertIn("sandbox[0].app.port", line)
        for pin in ("", PIN[:-1], PIN + "0", PIN.upper(), PIN[7:], PIN.replace("256", "1"), PIN + "\\n"):
            [line] = self.link(f'kind = "tls", host = "vm.example", port = 1, pin = "{pin}"')
            self.assertIn("sandbox[0].app.pin", line)
        [line] = self.link('kind = "tls", host = "vm.example", port = 1')
        self.assertIn("sandbox[0].app.pin: This key is required", line)

    def test_sockets(self) -> None:
        """A socket is below the folder of links, however it is written, and its whole path fits the kernel's structure."""
        self.assertEqual(self.link('kind = "unix", path = "a/b-1/app.sock"'), [])
        for path in ("", "/run/x.sock", "../x.sock", "a/../x.sock", "a//b", ".hidden", "a/.b", "a b", "a\\u0000b", "é", "a/", "x\\n"):
            [line] = self.link(f'kind = "unix", path = "{path}"')
            self.assertIn("coral.toml:12: sandbox[0].app.path", line)
        room = 107 - len("/var/lib/coral-gate/links/")
        self.assertEqual(self.link(f'kind = "unix", path = "{"a" * room}"'), [])
        [line] = self.link(f'kind = "unix", path = "{"a" * (room + 1)}"')
        self.assertIn("expected at most 107 bytes", line)

    def test_allow(self) -> None:
        """A link to this machine itself, or to a link-local address, has to be allowed; private networks need nothing."""
        for host in ("127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1"):
            app = f'kind = "tls", host = "{host}", port = 1, pin = "{PIN}"'
            [line] = self.link(app, more="")
            self.assertIn(f'Where that is meant, put it into links.allow: ["{host}"].', line)
            self.assertEqual(self.link(app, more=f'[links]\nallow = ["{host}"]\n'), [])
        for host in ("10.0.0.1", "192.168.1.1", "fd00::1", "8.8.8.8", "vm.example"):
            self.assertEqual(self.link(f'kind = "tls", host = "{host}", port = 1, pin = "{PIN}"', more=""), [])

    def test_allow_list(self) -> None:
        """An entry is an address, a network with nothing beyond its prefix, or a name."""
        config = parse(f'{INSIDE}[links]\nallow = ["127.0.0.0/8", "::1", "vm.internal"]\n', "x")
        self.assertEqual(config.links.allow_networks, (ip_network("127.0.0.0/8"), ip_network("::1/128")))
        self.assertEqual(config.links.allow_names, frozenset({"vm.internal"}))
        for entry in ("127.0.0.1/8", "127.1", "10.0.0.0/33", "a/b", "", "*", "::1%lo", "VM.internal"):
            [line] = told(f'{INSIDE}[links]\nallow = ["{entry}"]\n')
            self.assertIn("coral.toml:8: links.allow[0]", line)


class SandboxTests(SynchronousTestCase):
    """Sandboxes that the file names."""

    def test_ids(self) -> None:
        """An id has its form, and no two sandboxes share one."""
        for wrong in ("a" * 25, "a" * 27, "A" * 26, "1" * 26, ""):
            [line] = told(INSIDE + sandbox(UNIX).replace("a" * 26, wrong))
            self.assertIn("coral.toml:8: sandbox[0].id", line)
        [line] = told(INSIDE + sandbox(UNIX) + sandbox(UNIX))
        self.assertIn("coral.toml:13: sandbox[1].id: Another sandbox has this id.", line)

    def test_names(self) -> None:
        """A name is what a person can read on one line."""
        self.assertEqual(told(INSIDE + sandbox(UNIX).replace("Try-out 0", "Böcklin’s sandbox")), [])
        for wrong in ("", " ", "a ", "a" * 65, "a\\nb", "a\\u0000", "\\u202ea"):
            [line] = told(INSIDE + sandbox(UNIX).replace("Try-out 0", wrong))
            self.assertIn("coral.toml:9: sandbox[0].name", line)

    def test_open(self) -> None:
        """An open sandbox needs every listener on a loopback address; even a unix socket may have a proxy in front."""
        both = sandbox(UNIX) + sandbox(UNIX, number=1, more="open = true")
        self.assertEqual(told(INSIDE + both), [])
        for endpoint in ("tcp:443", "tcp:443:interface=10.0.0.1", "unix:/run/gate.sock"):
            [line] = told(f'{INSIDE}[[listen]]\nendpoint = "{endpoint}"\n{CERTIFICATE}{both}')
            self.assertIn("coral.toml:22: sandbox[1].open: A sandbox is open to everybody", line)

    def test_paths_of_certificates(self) -> None:
        """An absolute path stays, a path that needs a shell is refused."""
        text = LEAST.replace('"cert.pem"', '"/etc/ssl/a.pem"')
        self.assertEqual(parse(text, "/etc/x.toml").tls.certificates[0].certificate, Path("/etc/ssl/a.pem"))
        for wrong in ("", "~/a.pem", "a\\u0000", "a\\nb", "a" * 4097):
            [line] = told(LEAST.replace('"cert.pem"', f'"{wrong}"'))
            self.assertIn("tls.certificate[0].certificate", line)
