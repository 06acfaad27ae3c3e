"""Host names and origins are strict, and the portal and the sandboxes are kept two sites."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config.hosts import Origin, covers, host, host_name, host_pattern, origin, same_site
from tests.config.texts import LISTEN, told

_NAMES = st.from_regex(r"([a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?\.){0,3}[a-z]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True)


class OriginTests(SynchronousTestCase):
    """An origin is what browsers show: scheme, host and port."""

    def test_read(self) -> None:
        """The port is 443 where none is given, and then not shown either."""
        self.assertEqual(origin("https://gate.example"), Origin("gate.example", 443))
        self.assertEqual(origin("https://gate.example:8443"), Origin("gate.example", 8443))
        self.assertEqual([str(origin(f"https://a.example{port}")) for port in ("", ":443", ":1")], ["https://a.example"] * 2 + ["https://a.example:1"])

    def test_refused(self) -> None:
        """No other scheme, upper case, user, path, slash, query, address, bad port or bad name."""
        for text in (
            *("", "gate.example", "http://gate.example", "HTTPS://gate.example", "https://Gate.example", "https://gate.example/"),
            *("https://gate.example/x", "https://gate.example?x", "https://gate.example#x", "https://u:p@gate.example", "https://"),
            *("https://127.0.0.1", "https://[::1]", "https://0x7f.1", "https://a.0x7f", "https://gate.example.", "https://gate..example"),
            *("https://gate.example:", "https://gate.example:0", "https://gate.example:65536", "https://gate.example:08", "https://-a.example"),
            *("https://a-.example", "https://münchen.example", "https://a_b.example", "https://gate.example\n"),
            *(f"https://{'a' * 64}.example", "https://*.example", "https://" + ".".join(["a" * 60] * 5)),
        ):
            self.assertRaises(ValueError, origin, text)

    @given(_NAMES, st.integers(1, 65535))
    def test_round_trip(self, name: str, port: int) -> None:
        """What an origin is shown as is read as the same origin."""
        self.assertEqual(origin(str(Origin(name, port))), Origin(name, port))

    @given(st.text())
    def test_nothing_but_value_error(self, text: str) -> None:
        """Whatever the text, it is read or it is a ValueError."""
        for read in (origin, host_name, host_pattern, host):
            try:
                read(text)
            except ValueError:
                continue

    def test_hosts(self) -> None:
        """What can be dialled is a name, or an address in its usual form; no zone, no brackets, no short form."""
        self.assertEqual([host(text) for text in ("a.example", "10.0.0.1", "0:0::1")], ["a.example", "10.0.0.1", "::1"])
        for text in ("[::1]", "fe80::1%eth0", "127.1", "2130706433", "0x7f000001", "010.0.0.1", "10.0.0.1:80", ""):
            self.assertRaises(ValueError, host, text)

    def test_patterns(self) -> None:
        """A star stands for the first label alone, and for exactly one."""
        self.assertEqual(host_pattern("*.a.example"), "*.a.example")
        for text in ("*", "*.", "a.*.example", "*a.example", "*.*.example"):
            self.assertRaises(ValueError, host_pattern, text)
        self.assertEqual([covers("*.a.b", name) for name in ("x.a.b", "a.b", "x.y.a.b", "xa.b")], [True, False, False, False])
        self.assertEqual([covers("a.b", name) for name in ("a.b", "x.a.b")], [True, False])


class SiteTests(SynchronousTestCase):
    """Pages of sandboxes are never on the portal's site."""

    def site(self, portal: str, site: str, more: str = "") -> list[str]:
        """What is wrong with two hosts."""
        text = f'[gate]\nportal_origin = "https://{portal}"\nsandbox_site = "https://{site}"\n{more}\n{LISTEN}tls = false\n'
        return [line for line in told(text) if "sandbox_site" in line]

    def test_two_sites(self) -> None:
        """Two registered domains are fine, and so are two names side by side below localhost."""
        pairs = [("gate.example", "sandboxes.example.net"), ("a.gate.example", "b.boxes.example"), ("gate.localhost", "sbx.localhost")]
        for portal, site in pairs:
            self.assertEqual(self.site(portal, site), [])

    def test_one_above_the_other(self) -> None:
        """The same host, one above and one below are refused, whatever the port, the suffix list and localhost."""
        for portal, site in (
            *(("a.example", "a.example"), ("a.example:1", "a.example:2"), ("gate.a.example", "a.example"), ("a.example", "sbx.a.example")),
            *(("gate.localhost", "localhost"), ("localhost", "sbx.localhost"), ("x.gate.localhost", "gate.localhost")),
        ):
            for more in ("", "public_suffix = true"):
                [line] = self.site(portal, site, more)
                self.assertIn("same host or one is below the other", line)

    def test_side_by_side(self) -> None:
        """Two hosts that share their last two labels are refused, unless the operator gives their word."""
        for portal, site in (("gate.a.example", "sbx.a.example"), ("x.gate.localhost", "y.gate.localhost"), ("a.b.co.uk", "c.d.co.uk")):
            [line] = self.site(portal, site)
            self.assertIn("share their last two labels", line)
            self.assertEqual(self.site(portal, site, "public_suffix = true"), [])

    def test_name_that_only_looks_alike(self) -> None:
        """A name that ends in the other's letters but not in its labels is another site."""
        self.assertFalse(same_site("gate.example", "notgate.example"))
        self.assertEqual(self.site("gate.example", "my-gate.example-two"), [])

    @given(_NAMES, _NAMES)
    def test_never_one_site(self, portal: str, site: str) -> None:
        """Whatever is accepted without a word, the two hosts share no parent of two labels and are not below each other."""
        if self.site(portal, site):
            return
        self.assertFalse(f".{portal}".endswith(f".{site}") or f".{site}".endswith(f".{portal}"))
        shared = portal.split(".")[-2:] == site.split(".")[-2:]
        self.assertFalse(shared)

    def test_room_for_an_id(self) -> None:
        """The site's name leaves room for a sandbox's id in front of it."""
        name = ".".join(["a" * 56] * 4)
        self.assertEqual(self.site("gate.example", name[:-1]), [])
        [line] = self.site("gate.example", name)
        self.assertIn("expected at most 226 characters", line)
