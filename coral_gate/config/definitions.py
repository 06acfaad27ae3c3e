"""
What a section is made of: each attribute of its class carries the definition of one TOML key.

Reading, the reference page and the checks of the example all work from these definitions.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import attrs
from attrs import NOTHING, frozen

from coral_gate.config.places import Place

T = TypeVar("T")

_METADATA: Final = "coral_gate.config"


class Kind(Generic[T]):
    """What may stand behind a key."""

    __slots__ = ()

    @property
    @abstractmethod
    def words(self) -> str:
        """For the reference page and for mistakes, with its article: `a duration such as "10s"`."""

    @abstractmethod
    def read(self, found: object, place: Place) -> T:
        """
        Take what `tomllib` found.

        :raises Unreadable: it is not of this kind; every reason is in the place's report.
        """

    @abstractmethod
    def show(self, value: T) -> str:
        """Write a value as TOML."""

    def absent(self, place: Place) -> T:
        """
        Answer for a required key that is not in the file.

        :raises Unreadable: nothing may stand in for it, and the report says so.
        """
        place.fail(f"This key is required; expected {self.words}.")


@frozen
class Definition:
    """
    One TOML key.

    :ivar attribute: the name of the attribute that holds it.
    :ivar key: its name in the file.
    :ivar documentation: what it does and when to change it, in Markdown.
    :ivar since: the version that brought it.
    """

    attribute: str
    key: str
    kind: Kind[Any]  # each key has a type of its own; `key()` checks it against the attribute's default only at run time
    documentation: str
    since: str
    _default: Any

    @property
    def required(self) -> bool:
        """Whether the file must set it."""
        return self._default is NOTHING

    @property
    def default(self) -> Any:
        """
        The value that stands where the file sets none.

        :raises LookupError: the key is required.
        """
        if self.required:
            raise LookupError(self.key)
        if isinstance(self._default, attrs.Factory):  # type: ignore[arg-type]  # typed as a function, is a class
            return self._default.factory()
        return self._default


@frozen
class Rule:
    """
    What must hold between keys of one table, judged only where all of them could be read.

    :ivar needs: names of attributes, handed to `judge` by name.
    :ivar judge: notes what is wrong in the place's report.
    """

    needs: tuple[str, ...]
    judge: Callable[..., None]


def key(toml_key: str, kind: Kind[Any], documentation: str, *, since: str) -> dict[str, Definition]:
    """Metadata for `attrs.field`: this attribute holds a TOML key."""
    definition = Definition(
        attribute="", key=toml_key, kind=kind, documentation=inspect.cleandoc(documentation), since=since, default=NOTHING
    )
    return {_METADATA: definition}


def rule(judge: Callable[..., None], *needs: str) -> Rule:
    """A rule on some attributes: `judge(place, **attributes)`."""
    return Rule(needs, judge)


def definitions_of(section: type[Any]) -> tuple[Definition, ...]:
    """The keys of a section's class, in the order of the class."""
    # Not cached: a configuration is read once or twice in a daemon's life.
    return tuple(
        attrs.evolve(attribute.metadata[_METADATA], attribute=attribute.name, default=attribute.default)
        for attribute in attrs.fields(section)
        if _METADATA in attribute.metadata
    )


def rules_of(section: type[Any]) -> tuple[Rule, ...]:
    """The rules of a section's class: its `RULES`."""
    rules: tuple[Rule, ...] = getattr(section, "RULES", ())
    return rules
