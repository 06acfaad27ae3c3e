"""
Validators for frozen values that come from a file or from outside; each raises `ValueError` without the value itself.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from attrs import Attribute

from coral_gate.model import UserId, sandbox_id

DIGEST_BYTES = 32
"""Every digest is a SHA-256."""

_Attribute: TypeAlias = "Attribute[Any]"  # Any: attrs gives a validator the attribute of whatever type
_ROW_ID = re.compile(r"[a-z2-7]{26}\Z")
_WORD = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")
_ADDRESS = re.compile(r"[0-9A-Za-z.:%_-]{1,64}\Z")
_PATH = re.compile(r"/(?!/)[!-~]{0,2047}\Z")


def id_text(text: str) -> str:
    """
    An id of ours, from outside.

    :raises ValueError: it is not 26 characters of `a-z2-7`.
    """
    if not _ROW_ID.match(text):
        raise ValueError("an id is 26 characters of a-z and 2-7")
    return text


def row_id(instance: object, attribute: _Attribute, value: object) -> None:
    """An id of ours: 26 characters of `a-z2-7`."""
    if not isinstance(value, str) or not _ROW_ID.match(value):
        raise ValueError(f"{attribute.name} is not 26 characters of a-z and 2-7")


def maybe_row_id(instance: object, attribute: _Attribute, value: object) -> None:
    """None, or an id of ours."""
    if value is not None:
        row_id(instance, attribute, value)


def sandbox(instance: object, attribute: _Attribute, value: object) -> None:
    """A sandbox's id."""
    if not isinstance(value, str):
        raise ValueError(f"{attribute.name} is not a sandbox's id")
    sandbox_id(value)


def digest(instance: object, attribute: _Attribute, value: object) -> None:
    """A SHA-256 digest, 32 bytes."""
    if not isinstance(value, bytes) or len(value) != DIGEST_BYTES:
        raise ValueError(f"{attribute.name} is not a digest of {DIGEST_BYTES} bytes")


def utc(instance: object, attribute: _Attribute, value: object) -> None:
    """An aware datetime in UTC."""
    if not isinstance(value, datetime) or value.utcoffset() != timedelta(0):
        raise ValueError(f"{attribute.name} is not an aware UTC datetime")


def maybe_utc(instance: object, attribute: _Attribute, value: object) -> None:
    """None, or an aware datetime in UTC."""
    if value is not None:
        utc(instance, attribute, value)


def word(instance: object, attribute: _Attribute, value: object) -> None:
    """1 to 32 characters of `a-z`, `0-9` and `-`."""
    if not isinstance(value, str) or not _WORD.match(value):
        raise ValueError(f"{attribute.name} is not 1 to 32 characters of a-z, 0-9 and -")


class Text:
    """Between `least` and `most` printable characters; None passes where `optional`."""

    def __init__(self, most: int, least: int = 0, optional: bool = False) -> None:
        self._most, self._least, self._optional = most, least, optional

    def __call__(self, instance: object, attribute: _Attribute, value: object) -> None:
        if value is None and self._optional:
            return
        if not isinstance(value, str) or not value.isprintable() or not self._least <= len(value) <= self._most:
            raise ValueError(f"{attribute.name} is not {self._least} to {self._most} printable characters")


class Exactly:
    """An instance of exactly this type; `bool` does not pass for `int`."""

    def __init__(self, wanted: type) -> None:
        self._wanted = wanted

    def __call__(self, instance: object, attribute: _Attribute, value: object) -> None:
        if type(value) is not self._wanted:
            raise ValueError(f"{attribute.name} is not of type {self._wanted.__name__}")


def who(instance: object, attribute: _Attribute, value: object) -> None:
    """An issuer and a subject of sane lengths (OpenID Connect Core 1.0 §2: a subject has at most 255 characters)."""
    if not is_person(value):
        raise ValueError(f"{attribute.name} is not an issuer and a subject of printable characters")


def is_person(value: object) -> bool:
    """Whether this is an issuer and a subject as `who` takes them."""
    return isinstance(value, UserId) and _is_text(value.iss, 2048) and _is_text(value.sub, 255)


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and value.isprintable() and 1 <= len(value) <= most


def address(instance: object, attribute: _Attribute, value: object) -> None:
    """A numeric address, perhaps with a zone, of at most 64 characters."""
    if not isinstance(value, str) or not _ADDRESS.match(value):
        raise ValueError(f"{attribute.name} is not a numeric address")


def path(instance: object, attribute: _Attribute, value: object) -> None:
    """A path on an origin: 1 to 2048 printable ASCII characters that start with `/`, but not with `//`."""
    if not isinstance(value, str) or not _PATH.match(value):
        raise ValueError(f"{attribute.name} is not 1 to 2048 printable ASCII characters that start with one /")
