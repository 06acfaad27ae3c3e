"""Which addresses a link may dial."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.sandboxes.addresses import AddressPolicy, dialled, host_name
from coral_gate.sandboxes.special_ranges import EXACT_ONLY, embedded, special

Address = IPv4Address | IPv6Address

FORBIDDEN_V4 = ("127.0.0.1", "0.0.0.0", "169.254.169.254", "169.254.1.1", "100.100.100.200", "100.64.0.1", "224.0.0.1", "240.0.0.1")
V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address)


def not_here(address: Address) -> bool:
    """No address is this machine's."""
    return False


def here(address: Address) -> bool:
    """Every address is this machine's."""
    return True


def refusal(text: str, policy: AddressPolicy | None = None, port: int = 443, name: str | None = None) -> str | None:
    """Why an address is refused, on a machine that has no address of its own."""
    return (policy or AddressPolicy()).refusal(ip_address(text), port, not_here, name)


def allowing(*networks: str, names: Any = (), own: Any = ()) -> AddressPolicy:
    """A policy with an allow list."""
    return AddressPolicy([ip_network(text) for text in networks], names, ((ip_address(text), port) for text, port in own))


def embeddings(inner: IPv4Address) -> dict[str, IPv6Address]:
    """Each form of IPv6 address that leads to an IPv4 address."""
    number = int(inner)
    return {
        "v4-mapped": IPv6Address((0xFFFF << 32) | number),
        "v4-compatible": IPv6Address(number),
        "v4-translated": IPv6Address((0xFFFF << 48) | number),
        "nat64": IPv6Address((0x0064FF9B << 96) | number),
        "nat64-local": IPv6Address((0x0064FF9B0001 << 80) | number),
        "6to4": IPv6Address((0x2002 << 112) | (number << 80) | 1),
        "teredo": IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF)),
    }


class RefusalTests(SynchronousTestCase):
    """What is refused without an allow list."""

    def test_ordinary_hosts(self) -> None:
        """Private and public hosts may be dialled."""
        for text in (
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.254",
            "192.168.255.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "fc00::1",
            "fd12::5",
            "2606::1",
        ):
            self.assertIsNone(refusal(text), text)

    def test_special_addresses(self) -> None:
        """Each special range is refused, by the rule that names it, up to its edges."""
        for text, rule in {
            "0.0.0.0": "unspecified",
            "::": "unspecified",
            "127.0.0.1": "loopback",
            "127.255.255.254": "loopback",
            "::1": "loopback",
            "169.254.0.1": "link-local",
            "fe80::1": "link-local",
            "febf::1": "link-local",
            "fec0::1": "site-local",
            "feff::1": "site-local",
            "169.254.169.254": "metadata",
            "169.254.170.2": "metadata",
            "100.100.100.200": "metadata",
            "192.0.0.192": "metadata",
            "168.63.129.16": "metadata",
            "fd00:ec2::254": "metadata",
            "224.0.0.1": "multicast",
            "239.255.255.255": "multicast",
            "ff02::1": "multicast",
            "255.255.255.255": "broadcast",
            "240.0.0.1": "reserved",
            "0.1.2.3": "reserved",
            "192.0.0.9": "reserved",
            "198.18.0.1": "reserved",
            "2001:2::1": "reserved",
            "100::1": "reserved",
            "4000::1": "reserved",
            "5f00::1": "reserved",
            "::1:0:0:1": "reserved",
            "192.0.2.1": "documentation",
            "198.51.100.1": "documentation",
            "203.0.113.1": "documentation",
            "2001:db8::1": "documentation",
            "3fff::1": "documentation",
            "100.64.0.1": "shared",
            "100.127.255.255": "shared",
            "64:ff9b::a00:1": "nat64",
            "64:ff9b:1::a00:1": "nat64-local",
            "64:ff9b:1:a00:0:100::": "nat64-local",
            "2002:a00:1::1": "6to4",
            "192.88.99.1": "6to4",
            "2001::1": "teredo",
            "::ffff:10.0.0.1": "v4-mapped",
            "::10.0.0.1": "v4-compatible",
            "::ffff:0:10.0.0.1": "v4-translated",
            "fe80::1%eth0": "scoped",
            "fd00::1%eth0": "scoped",
        }.items():
            self.assertEqual(refusal(text), rule, text)

    @given(V4)
    def test_no_embedded_address(self, inner: IPv4Address) -> None:
        """An IPv6 address that leads to an IPv4 address is refused, whichever that is, and what it leads to is known."""
        for rule, address in embeddings(inner).items():
            self.assertIsNotNone(refusal(str(address)), rule)
            self.assertIn(embedded(address), {inner, None})
            if special(address) == rule:
                self.assertEqual(embedded(address), inner, rule)

    @given(V6)
    def test_agrees_with_the_standard_library(self, address: IPv6Address) -> None:
        """Nothing that Python itself calls loopback, link-local, multicast, reserved or unspecified passes."""
        if address.is_loopback or address.is_link_local or address.is_multicast or address.is_reserved or address.is_unspecified:
            self.assertIsNotNone(refusal(str(address)))

    @given(V4)
    def test_agrees_with_the_standard_library_v4(self, address: IPv4Address) -> None:
        """The same for IPv4; and what is neither private nor global there does not pass."""
        if address.is_loopback or address.is_link_local or address.is_multicast or address.is_reserved or address.is_unspecified:
            self.assertIsNotNone(refusal(str(address)))
        if not address.is_private and not address.is_global and not address.is_multicast:
            self.assertEqual(refusal(str(address)), "shared")


class AllowListTests(SynchronousTestCase):
    """What the allow list lifts."""

    def test_an_address(self) -> None:
        """The very address lifts every rule, for itself alone."""
        for text in ("127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1", "::1", "fd00:ec2::254"):
            self.assertIsNone(refusal(text, allowing(text)), text)
        self.assertEqual(refusal("127.0.0.2", allowing("127.0.0.1")), "loopback")

    def test_a_zone(self) -> None:
        """An address with a zone is allowed by the address, never by a network."""
        self.assertIsNone(refusal("fe80::1%eth0", allowing("fe80::1")))
        self.assertEqual(refusal("fe80::1%eth0", allowing("fe80::/10")), "scoped")

    def test_a_network(self) -> None:
        """A network lifts loopback, link-local and the like, but never metadata, broadcast or the forms that hide an address."""
        self.assertIsNone(refusal("127.0.0.1", allowing("127.0.0.0/8")))
        self.assertIsNone(refusal("100.64.3.4", allowing("100.64.0.0/10")))
        self.assertEqual(refusal("100.100.100.200", allowing("100.64.0.0/10")), "metadata")
        self.assertEqual(refusal("169.254.169.254", allowing("169.254.0.0/16")), "metadata")

    def test_a_network_of_all(self) -> None:
        """Even 0.0.0.0/0 and ::/0 do not lift the rules that want the very address."""
        policy = allowing("0.0.0.0/0", "::/0", names=["vm.example"])
        for text in ("0.0.0.0", "255.255.255.255", "224.0.0.1", "ff02::1", "::", "fd00:ec2::254", "fe80::1%eth0"):
            self.assertIn(refusal(text, policy, name="vm.example"), EXACT_ONLY, text)
        for rule, address in embeddings(IPv4Address("10.0.0.1")).items():
            self.assertEqual(refusal(str(address), policy) is None, rule == "nat64", rule)

    def test_a_name(self) -> None:
        """A name lifts the same as a network, for what it resolved to itself."""
        policy = allowing(names=["vm.Example"])
        self.assertIsNone(refusal("127.0.0.1", policy, name="vm.example"))
        self.assertEqual(refusal("127.0.0.1", policy, name="other.example"), "loopback")
        self.assertEqual(refusal("127.0.0.1", policy), "loopback")
        self.assertEqual(refusal("169.254.169.254", policy, name="vm.example"), "metadata")

    def test_translation(self) -> None:
        """Allowing the NAT64 prefix allows the ordinary hosts behind it, and nothing that would be refused as it is."""
        policy = allowing("64:ff9b::/96")
        self.assertIsNone(refusal("64:ff9b::10.0.0.1", policy))
        for text in FORBIDDEN_V4:
            self.assertEqual(refusal(f"64:ff9b::{text}", policy), "nat64", text)
        self.assertIsNone(refusal("64:ff9b::127.0.0.1", allowing("64:ff9b::/96", "127.0.0.1")))

    @given(st.sampled_from(FORBIDDEN_V4).map(IPv4Address))
    def test_an_embedded_address_is_judged_itself(self, inner: IPv4Address) -> None:
        """An allowed IPv6 address does not smuggle in the IPv4 address that it leads to; where both are allowed it passes."""
        for rule, address in embeddings(inner).items():
            if special(address) == rule:
                self.assertEqual(refusal(str(address), allowing(str(address))), rule)
                self.assertIsNone(refusal(str(address), allowing(str(address), str(inner))))


class OwnEndpointTests(SynchronousTestCase):
    """The gate's own listeners and stores."""

    def test_no_allow_list_lifts_them(self) -> None:
        """An own endpoint is refused on its port, whatever is allowed; another port is judged as usual."""
        policy = allowing("127.0.0.1", "10.0.0.5", own=[("127.0.0.1", 8080), ("10.0.0.5", 6379)])
        self.assertEqual(refusal("127.0.0.1", policy, 8080), "own-endpoint")
        self.assertEqual(refusal("10.0.0.5", policy, 6379), "own-endpoint")
        self.assertIsNone(refusal("127.0.0.1", policy, 8081))
        self.assertIsNone(refusal("10.0.0.6", policy, 6379))

    def test_a_wildcard_listener(self) -> None:
        """A listener on every address forbids its port on every local address, of both versions."""
        for wildcard in ("0.0.0.0", "::"):
            policy = allowing("127.0.0.0/8", "::1", own=[(wildcard, 443)])
            for text in ("127.0.0.1", "127.9.9.9", "::1"):
                self.assertEqual(refusal(text, policy), "own-endpoint", text)
                self.assertIsNone(refusal(text, policy, 8443), text)
            for text in ("10.0.0.5", "fd00::5"):
                self.assertIsNone(refusal(text, policy), text)
                self.assertEqual(policy.refusal(ip_address(text), 443, here), "own-endpoint", text)

    def test_the_machine_is_asked_only_where_it_matters(self) -> None:
        """Whether an address is local is not asked on ports where nothing of ours listens on every address."""
        asked: list[Address] = []
        policy = allowing(own=[("0.0.0.0", 443), ("10.0.0.9", 80)])

        def is_local(address: Address) -> bool:
            asked.append(address)
            return False

        for port in (80, 8080):
            policy.refusal(ip_address("10.0.0.5"), port, is_local)
        self.assertEqual(asked, [])
        self.assertEqual([policy.asks_the_machine(port) for port in (443, 80, 8080)], [True, False, False])

    @given(st.sampled_from(["127.0.0.1", "10.0.0.5"]).map(IPv4Address))
    def test_in_disguise(self, inner: IPv4Address) -> None:
        """An own endpoint is found behind every form that leads to it, also where both are allowed."""
        for address in embeddings(inner).values():
            for own in (str(inner), "0.0.0.0"):
                policy = allowing(str(address), str(inner), own=[(own, 443)])
                found = policy.refusal(address, 443, lambda each: each == ip_address("10.0.0.5"))
                self.assertEqual(found, "own-endpoint", address)

    def test_zones(self) -> None:
        """A zone does not hide an own endpoint, on either side."""
        self.assertEqual(refusal("fe80::1%eth0", allowing("fe80::1", own=[("fe80::1", 443)])), "own-endpoint")
        self.assertEqual(refusal("fe80::1", allowing("fe80::1", own=[("fe80::1%eth0", 443)])), "own-endpoint")


class SpellingTests(SynchronousTestCase):
    """What a link may be told to dial."""

    def test_addresses(self) -> None:
        """Addresses in their usual spellings are addresses."""
        for text in ("127.0.0.1", "::1", "2001:DB8::1", "fe80::1%eth0", "::ffff:127.0.0.1"):
            self.assertEqual(dialled(text), ip_address(text))

    def test_names(self) -> None:
        """Host names are taken in lower case."""
        for text in ("vm1", "vm-1.Sandboxes.example", "3com.example", "a" * 63 + ".example", "xn--bcher-kva.example", "1.2.3.example"):
            self.assertEqual(dialled(text), text.lower())

    def test_spellings_of_the_c_library(self) -> None:
        """What inet_aton takes for an address, but we do not, is no name either."""
        for text in (
            "127.1",
            "0x7f000001",
            "0X7F.1",
            "2130706433",
            "0177.0.0.1",
            "017700000001",
            "127.0.0.1.",
            "127.0.1",
            "127.0.0.0x1",
            "0x7f.0.0.1",
            "0x",
            "1.0x",
            "127.0.0.1 ",
            " 127.0.0.1",
            "127.0.0.1\n",
            "00127.0.0.1",
            "256.256.256.256",
            "1.2.3.4.5",
        ):
            self.assertRaises(ValueError, dialled, text)

    def test_not_names(self) -> None:
        """Anything else is refused."""
        for text in (
            "",
            ".",
            "a..b",
            ".a",
            "a.",
            "-a.example",
            "a-.example",
            "a_b.example",
            "a b",
            "a:80",
            "[::1]",
            "a/b",
            "a@b",
            "a%eth0",
            "a" * 64,
            ".".join(["a" * 50] * 6),
            "bücher.example",
            "\N{KELVIN SIGN}.example",
            "①.example",
            "127。0。0。1",
            "vm.example\n",
            "vm\0.example",
        ):
            self.assertRaises(ValueError, dialled, text)

    @given(st.text(alphabet="0123456789xX.abcdefABCDEF", max_size=20))
    def test_no_name_is_a_number(self, text: str) -> None:
        """No name that is taken could be read as an IPv4 address: its last label is not a number."""
        try:
            last = host_name(text).rpartition(".")[2]
        except ValueError:
            return
        with self.assertRaises(ValueError):
            int(last, 16 if last.startswith("0x") else 10)

    @given(st.text(max_size=40))
    def test_only_its_own_error(self, text: str) -> None:
        """Whatever the text, it is an address, a name or a ValueError."""
        try:
            dialled(text)
        except ValueError:
            return

    def test_the_allow_list_is_read_strictly(self) -> None:
        """A name in the allow list that is none is an error, not a rule that never matches."""
        self.assertRaises(ValueError, AddressPolicy, allow_names=["127.1"])
