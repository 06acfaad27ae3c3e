"""The reference page and the example tell what the code does."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import field, frozen
from twisted.trial.unittest import SynchronousTestCase

from coral_gate.config import Config, load, parse
from coral_gate.config.definitions import definitions_of, key
from coral_gate.config.kinds import Whole
from coral_gate.config.places import Place, Report
from coral_gate.config.positions import scan
from coral_gate.config.reference import every_key, reference
from coral_gate.config.root import Config as RootConfig
from coral_gate.config.secret_sources import SecretReference, SecretSource
from coral_gate.config.tables import Table, Tables
from tests import ROOT

PAGE = ROOT / "docs" / "configuration.md"
EXAMPLE = ROOT / "etc" / "coral-gate.toml"
WHOLE = re.sub(r"(?m)^#(?=\S)", "", EXAMPLE.read_text())


class ReferencePageTests(SynchronousTestCase):
    """`docs/configuration.md`."""

    def test_up_to_date(self) -> None:
        """It is what the definitions give; write it anew with `python -m coral_gate.config.reference > docs/configuration.md`."""
        self.assertEqual(PAGE.read_text(), reference())

    def test_a_section_for_each(self) -> None:
        """Each section of the file has its own on the page, and each key its heading with type, default and since."""
        page = reference()
        for section in definitions_of(Config):
            self.assertRegex(page, rf"(?m)^## `\[+{section.key}\]+`\n\n\S")
        for heading in re.findall(r"(?ms)^### (.*?)(?=^#|\Z)", page):
            self.assertRegex(heading, r"(?s)\A`[a-z_.]+`\n\n.+\.\n\n- Type: .+\n- (Required|Default: .+)\n- Since: \d")
        described = len(re.findall("(?m)^### ", page))
        keys = [name for name, definition in every_key(Config) if not isinstance(definition.kind, (Table, Tables))]
        self.assertEqual(described, len(keys))

    def test_secrets_are_explained(self) -> None:
        """How secrets are referred to is told as soon as a key is one."""

        @frozen(kw_only=True)
        class Vault:
            """A section with a secret."""

            password: SecretSource = field(metadata=key("password", SecretReference(), "The password.", since="0.1"))

        @frozen(kw_only=True)
        class Top:
            vault: Vault = field(metadata=key("vault", Table(Vault), "", since="0.1"))

        self.assertIn("- A **secret** is never in the file.", reference(Top))
        self.assertIn("### `vault.password`", reference(Top))
        self.assertNotIn("**secret**", reference(self.without_secrets()))

    def without_secrets(self) -> type[Any]:
        """A configuration without a secret."""

        @frozen(kw_only=True)
        class Top:
            number: int = field(default=1, metadata=key("number", Whole(0, 9), "A number.", since="0.1"))

        return Top


class ExampleTests(SynchronousTestCase):
    """`etc/coral-gate.toml`."""

    def test_sound(self) -> None:
        """It is a configuration as it stands, and with every setting's mark of a comment removed."""
        shipped, whole = load(EXAMPLE), parse(WHOLE, str(EXAMPLE))
        self.assertEqual(shipped.sandboxes, ())
        for section in ("gate", "listeners", "tls", "deadlines", "limits", "links", "log"):
            self.assertEqual(getattr(shipped, section), getattr(whole, section), section)

    def test_mentions_every_key(self) -> None:
        """Every key of every section is there, set or in a comment; those of the kinds of links in the comments about them."""
        for name, definition in every_key(Config):
            self.assertRegex(WHOLE, rf"(?m)(^|\W)({definition.key} = |\[+{name}(\.[a-z.]+)?\]+$)", name)

    def test_defaults(self) -> None:
        """What a comment shows as a setting is the default."""
        shown = dict(settings(tomllib.loads(WHOLE), RootConfig))
        shipped = dict(settings(tomllib.loads(EXAMPLE.read_text()), RootConfig))
        compared = 0
        for name, (definition, found) in shown.items():
            if definition.required or name in shipped:
                continue
            report = Report("x", EXAMPLE.parent, scan(""))
            self.assertEqual(definition.kind.read(found, Place(report)), definition.default, name)
            compared += 1
        self.assertGreater(compared, 30)

    def test_explains_every_setting(self) -> None:
        """Every setting has an explanation above it, for itself or for its group."""
        explained = False
        for line in EXAMPLE.read_text().split("\n"):
            if line.startswith("# "):
                explained = True
            elif line.startswith("["):
                explained = explained and line == "[[tls.certificate]]"
            elif line and line != "#" and not line.startswith("#["):
                self.assertTrue(explained or line.startswith(("#id", "#name")), line)


def settings(tables: dict[str, Any], section: type[Any], path: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Each key that is set, with its definition and what is set; tables of several kinds are left out."""
    for definition in definitions_of(section):
        if definition.key not in tables:
            continue
        found, name = tables[definition.key], f"{path}.{definition.key}"
        below = getattr(definition.kind, "section", None) or getattr(getattr(definition.kind, "item", None), "section", None)
        if below is None:
            yield name, (definition, found)
        else:
            yield from settings(found[0] if isinstance(found, list) else found, below, name)


class AddingTests(SynchronousTestCase):
    """A section is added by a class and an attribute, as the package's documentation says."""

    def test_a_new_section(self) -> None:
        """It is read, checked and described without anything else being written."""

        @frozen(kw_only=True)
        class SessionsConfig:
            """How long people stay signed in."""

            most: int = field(default=5, metadata=key("most", Whole(1, 9), "Sessions of one person.", since="0.2"))

        @frozen(kw_only=True)
        class Top:
            sessions: SessionsConfig = field(factory=SessionsConfig, metadata=key("sessions", Table(SessionsConfig), "", since="0.2"))

        report = Report("x", Path("/"), scan("[sessions]\nmost = 10\n"))
        kind = Table(Top)
        self.assertEqual(kind.read({"sessions": {"most": 9}}, Place(report)).sessions.most, 9)
        self.assertEqual(kind.read({}, Place(report)).sessions.most, 5)
        self.assertIn("- Type: a whole number, at least `1`, at most `9`\n- Default: `5`\n- Since: 0.2\n", reference(Top))
