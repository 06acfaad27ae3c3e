"""
The reference page of the configuration, written from the definitions: `python -m coral_gate.config.reference > docs/configuration.md`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any, Final

from coral_gate.config.definitions import Definition, definitions_of
from coral_gate.config.kinds import ListOf, Spelled, Whole
from coral_gate.config.root import Config
from coral_gate.config.secret_sources import SecretReference
from coral_gate.config.tables import Table, Tables, Tagged

_TOP: Final = """\
# Configuration

<!-- Written by `python -m coral_gate.config.reference > docs/configuration.md`; change the definitions, not this page. -->

The daemon reads one TOML file, `/etc/coral-gate/coral-gate.toml` unless `--config` names another. It must be UTF-8 and at
most 1 MiB. `coral-gate check --config FILE` says every mistake in it at once, each with its line, and what would be
served; the daemon refuses a file with a mistake and exits with 78.

- A **duration** is a whole number and `ms`, `s`, `m`, `h` or `d`: `"500ms"`, `"10s"`, `"1h"`.
- A **size** is a whole number and `B`, `KiB`, `MiB`, `GiB`, `TiB` (powers of 1024) or `kB`, `MB`, `GB`, `TB` (powers of
  1000): `"64KiB"`, `"1GB"`.
- A relative **path** is taken from the folder of the file, unless its key says otherwise.
{secrets}
A commented example is `etc/coral-gate.toml`.
"""

_SECRETS: Final = """\
- A **secret** is never in the file. Its key says where it is: `"file:/path"` (a regular file of the daemon's user with the
  mode 0600), `"credential:NAME"` (systemd's `LoadCredential=`), `"env:NAME"`, or `"command:/path/to/program argument"`
  (run without a shell, within 10 s). At most 64 KiB.
"""


def reference(top: type[Any] = Config) -> str:
    """The whole page, in Markdown: a section for each section of the file."""
    secret = any(isinstance(definition.kind, SecretReference) for _, definition in every_key(top))
    parts = [_TOP.replace("{secrets}\n", f"{_SECRETS}\n" if secret else "\n")]
    for section in definitions_of(top):
        parts.extend(_tables(section, section.key))
    return "\n".join(parts)


def every_key(section: type[Any], name: str = "") -> Iterator[tuple[str, Definition]]:
    """The keys of a section's class and of all tables in it, each with its dotted name below `name`."""
    for definition in definitions_of(section):
        path = f"{name}.{definition.key}".lstrip(".")
        yield path, definition
        for _, below in _headers(definition, path):
            yield from every_key(below, path)


def _headers(definition: Definition, name: str) -> list[tuple[str, type[Any]]]:
    """The tables that a key stands for, each with how its header is written."""
    match definition.kind:
        case Table(section=section):
            return [(f"[{name}]", section)]
        case Tables(item=item):
            return [(f"[[{name}]]", item.section)]
        case Tagged(tag=tag, sections=sections):
            return [(f'{name} = {{ {tag} = "{word}", ... }}', section) for word, section in sections.items()]
    return []


def _tables(definition: Definition, name: str) -> Iterator[str]:
    for header, section in _headers(definition, name):
        # Of a link's kinds the key has its own heading; of a table the key's words belong below the table's heading.
        said = [inspect.getdoc(section) or "", "" if isinstance(definition.kind, Tagged) else definition.documentation]
        yield f"## `{header}`\n\n" + "\n\n".join(filter(None, said)) + "\n"
        below = [(entry, f"{name}.{entry.key}") for entry in definitions_of(section)]
        yield from (_key(entry, path) for entry, path in below if not isinstance(entry.kind, (Table, Tables)))
        for entry, path in below:
            yield from _tables(entry, path)


def _key(definition: Definition, name: str) -> str:
    kind = f"- Type: {definition.kind.words}{_range(definition.kind)}"
    return f"### `{name}`\n\n{definition.documentation}\n\n{kind}\n- {_default(definition)}\n- Since: {definition.since}\n"


def _default(definition: Definition) -> str:
    if definition.required:
        return "Required"
    if definition.default is None:
        return "Default: not set"
    return f"Default: `{definition.kind.show(definition.default)}`"


def _range(kind: object) -> str:
    match kind:
        case Whole() | Spelled():
            bounds = (("at least", kind.least), ("at most", kind.most))
            return "".join(f", {word} `{kind.show(bound)}`" for word, bound in bounds if bound is not None)
        case ListOf(item=item, least=least):
            return f", at least {least}; each is {item.words}" if least else f"; each is {item.words}"
    return ""


if __name__ == "__main__":
    sys.stdout.write(reference())
