"""Endpoints are what Twisted takes, and a listener without TLS cannot be reached from another machine."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import endpoints
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config.listening import endpoint, is_local, is_loopback, split_endpoint
from tests import ROOT
from tests.config.texts import CERTIFICATE, GATE, told

INSIDE = (
    *("tcp:80:interface=127.0.0.1", "tcp:80:127.0.0.1", "tcp:port=80:interface=127.9.9.9", "tcp:0:interface=127.0.0.1:backlog=5"),
    *(r"tcp6:80:interface=\:\:1", r"tcp6:80:50:\:\:1"),
)
OUTSIDE = (
    *("tcp:80", "tcp6:80", "tcp:80:interface=0.0.0.0", "tcp:80:interface=10.0.0.1", "tcp:80:interface=localhost", "tcp:80:interface="),
    *(r"tcp6:80:interface=\:\:", r"tcp:80:interface=\:\:ffff\:127.0.0.1", "tcp:80:interface=127.0.0.1.example"),
    *("systemd:domain=INET:name=https", "haproxy:tcp:80:interface=127.0.0.1", "tcp:80:interface=127.0.0.1:interface=0.0.0.0"),
)


class EndpointTests(SynchronousTestCase):
    """What is taken."""

    def test_taken(self) -> None:
        """Endpoints of Twisted are taken as they are; nothing is opened."""
        systemd = ("systemd:domain=INET:name=https", "systemd:INET6:index=0", "systemd:domain=UNIX:index=12")
        for text in (*INSIDE, *systemd, "tcp:443", "unix:/run/gate.sock", r"unix:/run/a\:b:mode=660", "haproxy:tcp:443"):
            self.assertEqual(endpoint(text), text)

    def test_refused(self) -> None:
        """Unknown kinds, wrong arguments, ports out of range and endpoints that do TLS themselves are refused."""
        for text in (
            *("", ":", "=", "443", "tcp", "tcp:", "tcp:x", "tcp:-1", "tcp:65536", "tcp:٨٠", "tcp:80\\", "TCP:80", "udp:80"),
            *("tcp:80:interfaces=::1", "tcp:80:backlog=x", "tcp:80:a:b:c", r"tcp6:80:\:\:1", "unix", "unix:/a:mode=99"),
            *("ssl:443", "SSL:443", "tls:a.example:443", "systemd:", "systemd:domain=INET", "systemd:domain=INET:index=x"),
            *("systemd:domain=INET:index=0:name=a", "systemd:domain=X:index=0"),
        ):
            self.assertRaises(ValueError, endpoint, text)

    def test_inside(self) -> None:
        """Loopback addresses and unix sockets are inside the machine; everything else may be outside."""
        self.assertEqual([text for text in INSIDE if not is_loopback(text)], [])
        self.assertEqual([text for text in OUTSIDE if is_local(text)], [])
        self.assertEqual((is_local("unix:/run/gate.sock"), is_loopback("unix:/run/gate.sock")), (True, False))

    @given(st.text(alphabet="ab:=\\1,", max_size=14))
    def test_split_like_twisted(self, text: str) -> None:
        """An endpoint is split as Twisted splits it, or refused where Twisted fails."""
        try:
            expected = endpoints._parse(text)
        except RuntimeError:  # Twisted's answer to a lone backslash at the end
            self.assertRaises(ValueError, split_endpoint, text)
            return
        self.assertEqual(split_endpoint(text), expected)

    @given(st.one_of(st.text(max_size=20), st.text(alphabet="tcpunixsyemd6:=\\/180.", max_size=30)))
    def test_nothing_but_value_error(self, text: str) -> None:
        """Whatever the text, it is taken or it is a ValueError."""
        try:
            is_local(endpoint(text))
        except ValueError:
            pass

    def test_no_reactor(self) -> None:
        """Reading a configuration imports no reactor."""
        program = "import sys, coral_gate.config as c\nc.load(__import__('pathlib').Path('etc/coral-gate.toml'))\n"
        program += "assert 'twisted.internet.endpoints' in sys.modules; assert 'twisted.internet.reactor' not in sys.modules"
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


class ListenerTests(SynchronousTestCase):
    """A listener without TLS is inside the machine."""

    def listener(self, endpoint: str, tls: str) -> list[str]:
        """What is wrong with a listener."""
        return told(f"{GATE}[[listen]]\nendpoint = '{endpoint}'\ntls = {tls}\n{CERTIFICATE}")

    def test_without_tls(self) -> None:
        """It is accepted inside and refused outside."""
        for text in (*INSIDE, "unix:/run/gate.sock"):
            self.assertEqual(self.listener(text, "false"), [])
        for text in OUTSIDE:
            [line] = self.listener(text, "false")
            self.assertIn("coral.toml:6: listen[0].tls: A listener without TLS can be reached from other machines.", line)

    def test_with_tls(self) -> None:
        """It is accepted anywhere."""
        for text in (*INSIDE, *OUTSIDE, "unix:/run/gate.sock"):
            self.assertEqual(self.listener(text, "true"), [])
