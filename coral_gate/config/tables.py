"""
Kinds that read a section's class: one table, an array of tables, and a table that one of its keys chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import frozen

from coral_gate.config.definitions import Definition, Kind, definitions_of, rules_of
from coral_gate.config.kinds import Choice, meant, read_each
from coral_gate.config.places import Place, Unreadable, quoted

T = TypeVar("T")


@frozen
class Table(Kind[T]):
    """
    A table whose keys are the attributes of a class.

    :ivar section: the class, each attribute with a definition.
    :ivar tag: a further key that the table may hold; who uses this kind has read it.
    """

    section: type[T]
    tag: str = ""
    words: str = "a table"

    def read(self, found: object, place: Place) -> T:
        """See `Kind.read`."""
        if not isinstance(found, dict):
            place.expected(found, self.words)
        definitions = definitions_of(self.section)
        _note_unknown(found, definitions, place, self.tag)
        values = _read_keys(found, definitions, place)
        _judge(self.section, values, place)
        if len(values) < len(definitions):
            raise Unreadable
        return self.section(**values)

    def absent(self, place: Place) -> T:
        """See `Kind.absent`: each required key of the table is noted."""
        return self.read({}, place)

    def show(self, value: T) -> str:
        """See `Kind.show`; as an inline table."""
        pairs = (f"{entry.key} = {entry.kind.show(setting)}" for entry, setting in self._settings(value) if setting is not None)
        return f"{{ {', '.join(pairs)} }}"

    def _settings(self, value: T) -> list[tuple[Definition, Any]]:
        return [(entry, getattr(value, entry.attribute)) for entry in definitions_of(self.section)]


@frozen
class Tables(Kind["tuple[T, ...]"]):
    """An array of tables, `[[like.this]]`."""

    item: Table[T]
    least: int = 0
    words: str = "an array of tables"

    def read(self, found: object, place: Place) -> tuple[T, ...]:
        """See `Kind.read`."""
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            place.expected(found, self.words, "Write the table's name in two brackets: [[...]].")
        if len(found) < self.least:
            self.absent(place)
        return read_each(self.item, found, place)

    def absent(self, place: Place) -> tuple[T, ...]:
        """See `Kind.absent`."""
        name = ".".join(str(part) for part in place.path)
        place.fail(f"Found none; expected at least {self.least} [[{name}]].")

    def show(self, value: tuple[T, ...]) -> str:
        """See `Kind.show`."""
        return f"[{', '.join(self.item.show(entry) for entry in value)}]"


@frozen
class Tagged(Kind[T]):
    """
    A table of one of several classes; the word behind one key says which.

    :ivar tag: that key.
    :ivar sections: the class for each word.
    """

    tag: str
    sections: Mapping[str, type[T]]

    @property
    def words(self) -> str:
        """See `Kind.words`."""
        return f"a table such as {{ {self.tag} = {quoted(next(iter(self.sections)))}, ... }}"

    def read(self, found: object, place: Place) -> T:
        """See `Kind.read`."""
        if not isinstance(found, dict):
            place.expected(found, self.words)
        choice = Choice({word: word for word in self.sections})
        if self.tag not in found:
            choice.absent(place.at(self.tag))
        word = choice.read(found[self.tag], place.at(self.tag))
        return Table(self.sections[word], tag=self.tag).read(found, place)

    def show(self, value: T) -> str:
        """See `Kind.show`."""
        word = next(word for word, section in self.sections.items() if isinstance(value, section))
        return Table(type(value)).show(value).replace("{ ", f"{{ {self.tag} = {quoted(word)}, ", 1)


def _read_keys(found: Mapping[str, Any], definitions: tuple[Definition, ...], place: Place) -> dict[str, Any]:
    """The values of all keys that could be read, by attribute."""
    values = {}
    for definition in definitions:
        try:
            values[definition.attribute] = _read_key(found, definition, place.at(definition.key))
        except Unreadable:
            continue
    return values


def _read_key(found: Mapping[str, Any], definition: Definition, place: Place) -> Any:
    if definition.key in found:
        return definition.kind.read(found[definition.key], place)
    return definition.kind.absent(place) if definition.required else definition.default


def _note_unknown(found: Mapping[str, Any], definitions: tuple[Definition, ...], place: Place, tag: str) -> None:
    known = {definition.key: definition for definition in definitions}
    unknown = [key for key in found if key not in known and key != tag]
    for key in unknown:
        what = "section" if not place.path and isinstance(found[key], (dict, list)) else "key"
        hint = meant(key, tuple(known)) or f"Known here: {', '.join(known)}."
        place.at(key).record(f"There is no such {what} here.", hint)


def _judge(section: type[Any], values: Mapping[str, Any], place: Place) -> None:
    """Apply every rule that can be judged by the values that could be read."""
    for rule in rules_of(section):
        if all(need in values for need in rule.needs):
            rule.judge(place, **{need: values[need] for need in rule.needs})
