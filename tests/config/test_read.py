"""Reading: the values, and every mistake at once."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config import parse
from coral_gate.config.hosts import Origin
from coral_gate.model import ChannelKind
from tests.config.texts import CERTIFICATE, GATE, INSIDE, LEAST, LISTEN, told


class ReadingTests(SynchronousTestCase):
    """A sound text becomes values."""

    def test_the_least_configuration(self) -> None:
        """Two origins, a listener and a certificate are enough; everything else has a default."""
        config = parse(LEAST, "/etc/coral/gate.toml")
        self.assertEqual(config.gate.portal_origin, Origin("gate.example", 443))
        self.assertEqual(str(config.gate.sandbox_site.below("x")), "https://x.sandboxes.example.net")
        self.assertEqual(config.listeners[0].channels, (ChannelKind.PORTAL, ChannelKind.HTTP, ChannelKind.CONTROL))
        self.assertTrue(config.listeners[0].tls)
        self.assertEqual((config.deadlines.head_s, config.limits.head_bytes), (10.0, 32768))

    def test_units(self) -> None:
        """Durations become seconds and sizes become bytes."""
        config = parse(LEAST + '[deadlines]\nhead = "500ms"\n[limits]\nbody = "3GB"\n', "gate.toml")
        self.assertEqual((config.deadlines.head_s, config.limits.body_bytes), (0.5, 3 * 10**9))

    def test_paths(self) -> None:
        """A relative path is taken from the folder of the file, the folder of links from the state directory."""
        config = parse(GATE + 'state_directory = "state"\n' + LISTEN + CERTIFICATE, "/etc/coral/gate.toml")
        self.assertEqual(config.tls.certificates[0].key, Path("/etc/coral/key.pem"))
        self.assertEqual(config.gate.state_directory, Path("/etc/coral/state"))
        self.assertEqual(config.links.unix_directory, Path("/etc/coral/state/links"))
        absolute = parse(INSIDE + '[links]\nunix_directory = "/run/links"\n', "gate.toml")
        self.assertEqual(absolute.links.unix_directory, Path("/run/links"))


class MistakeTests(SynchronousTestCase):
    """Every mistake is said, with its line, key, what was found and what was expected."""

    def test_all_at_once_and_in_order(self) -> None:
        """Mistakes of all sorts come together, in the order of the file, and what is missing from it comes last."""
        text = '[limits]\nhead = 5\nfield = 100\n[deadlines]\nhead = "ten"\nstop = "0s"\n[log]\nformat = "jsn"\n[gete]\n'
        self.assertEqual(
            told(text),
            [
                'coral.toml:2: limits.head: Found the integer 5; expected a size such as "64KiB".',
                'coral.toml:3: limits.field: There is no such key here. Did you mean "fields"?',
                'coral.toml:5: deadlines.head: Found "ten"; expected a duration such as "10s". '
                "A duration is a whole number and one of ms, s, m, h, d, without a blank.",
                'coral.toml:6: deadlines.stop: Found "0s"; expected at least "100ms".',
                'coral.toml:8: log.format: Found "jsn"; expected "text" or "json". Did you mean "json"?',
                'coral.toml:9: gete: There is no such section here. Did you mean "gate"?',
                'coral.toml: gate.portal_origin: This key is required; expected an origin such as "https://gate.example".',
                'coral.toml: gate.sandbox_site: This key is required; expected an origin such as "https://sandboxes.example".',
                "coral.toml: listen: Found none; expected at least 1 [[listen]].",
            ],
        )
