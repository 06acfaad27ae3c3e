"""
The configuration: one TOML file, read into frozen values, or refused with every mistake at once.

`load` reads a file, `parse` a text. Both give a `Config`, each section an attribute of it, and raise nothing but
`coral_gate.errors.ConfigError`.

How to add a key
================

Add an attribute to the class of its section (`coral_gate.config.sections`)::

    head_s: float = field(
        default=10.0,
        metadata=key("head", duration("100ms", "10m"), "A request's head, from its first byte to its last.", since="0.1"),
    )

The attribute's name carries the unit, the TOML key does not. No default: the file must set it. Then name it in
`etc/coral-gate.toml` and write `docs/configuration.md` anew (`python -m coral_gate.config.reference`); tests compare both
with the definitions.

How to add a section
====================

Write its class in a module of `coral_gate.config.sections`: `@frozen(kw_only=True)`, its docstring is what the reference
says about the section. Then add one attribute to `coral_gate.config.root.Config`: `Table(YourConfig)` for `[name]`,
`Tables(Table(YourConfig))` for `[[name]]`. A table inside a section is an attribute of the section in the same way.

How to add a rule
=================

A rule looks at several keys: a function that notes mistakes at a place, and an entry in `RULES` of the class that the
attributes belong to. It is called only where all that it needs could be read. What concerns several sections is a rule
of `Config`.

How to add a kind of value
==========================

Most are a string and a function: `Spelled(words, parse, spell)`, where `parse` raises ValueError with a sentence for the
operator. Others are a class with `words`, `read` and `show` (`coral_gate.config.definitions.Kind`). A secret is
never in the file: its kind is `coral_gate.config.secret_sources.SecretReference`.
"""

from coral_gate.config.read import load, parse
from coral_gate.config.root import Config

__all__ = ["Config", "load", "parse"]
