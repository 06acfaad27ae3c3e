"""
How master keys are written: what an operator's file, variable, command or systemd credential holds.

Either one key, which is version 1: 32 raw bytes, 64 hexadecimal digits, or 44 characters of base64. Or a line for each
version, `2:` and the key in hexadecimal or base64; the first line is the current one. Empty lines and lines that start
with `#` are passed over.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from coral_gate.custody.envelope import KEY_BYTES, MAX_KEY_VERSION
from coral_gate.model import Secret

_MAX_BYTES: Final = 65_536
_MAX_VERSIONS: Final = 256
_VERSIONED: Final = re.compile(rb"([1-9][0-9]{0,9})[ \t]*:[ \t]*(\S+)\Z")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{64}\Z")
_BASE64: Final = re.compile(rb"[0-9A-Za-z+/]{43}=\Z")
_FEWEST_DIFFERENT_BYTES: Final = 8


class UnfitMasterKey(ValueError):
    """This is no master key that can be used; the text says which line and why, and holds nothing of it."""


@frozen
class MasterKeys:
    """
    Master keys by version.

    :ivar current: the version that seals.
    """

    current: int
    keys: Mapping[int, Secret]


def parse_master_keys(source: Secret) -> MasterKeys:
    """
    Read master keys, strictly.

    :raises UnfitMasterKey: anything in it is not as this module's description says.
    """
    try:
        return _parse(source.reveal())
    except UnfitMasterKey as error:
        why = str(error)
    # Raised anew, without the frames that have the keys in their variables: tools that report errors show those.
    raise UnfitMasterKey(why)


def show_master_keys(keys: MasterKeys) -> Secret:
    """Write master keys as `parse_master_keys` reads them: a line for each version, the current one first."""
    order = [keys.current, *sorted((version for version in keys.keys if version != keys.current), reverse=True)]
    return Secret(b"".join(b"%d:%s\n" % (version, keys.keys[version].reveal().hex().encode()) for version in order))


def _parse(raw: bytes) -> MasterKeys:
    if len(raw) == KEY_BYTES:
        return MasterKeys(1, {1: Secret(_strong(raw, 1))})
    if len(raw) > _MAX_BYTES:
        raise UnfitMasterKey("It is far too long for a master key.")
    lines = [(number, line.strip()) for number, line in enumerate(raw.split(b"\n"), 1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith(b"#")]
    if not lines:
        raise UnfitMasterKey("It is empty.")
    if len(lines) == 1 and b":" not in lines[0][1]:
        number, line = lines[0]
        return MasterKeys(1, {1: _key(line, number)})
    return _versions(lines)


def _versions(lines: list[tuple[int, bytes]]) -> MasterKeys:
    if len(lines) > _MAX_VERSIONS:
        raise UnfitMasterKey(f"It has more than {_MAX_VERSIONS} versions.")
    keys: dict[int, Secret] = {}
    for number, line in lines:
        match = _VERSIONED.match(line)
        if match is None or int(match[1]) > MAX_KEY_VERSION:
            raise UnfitMasterKey(f"Line {number} is not a version from 1 to {MAX_KEY_VERSION}, a colon and a key.")
        if int(match[1]) in keys:
            raise UnfitMasterKey(f"Line {number} gives a version a second key.")
        keys[int(match[1])] = _key(match[2], number)
    _all_different(keys)
    return MasterKeys(next(iter(keys)), keys)


def _all_different(keys: Mapping[int, Secret]) -> None:
    if len({key.reveal() for key in keys.values()}) < len(keys):
        raise UnfitMasterKey("Two versions have the same key.")


def _key(text: bytes, line: int) -> Secret:
    if _HEX.match(text):
        return Secret(_strong(bytes.fromhex(text.decode()), line))
    if _BASE64.match(text):
        return Secret(_strong(_from_base64(text, line), line))
    raise UnfitMasterKey(f"Line {line} holds no key: expected 64 hexadecimal digits or 44 characters of base64.")


def _from_base64(text: bytes, line: int) -> bytes:
    decoded = base64.b64decode(text, validate=True)
    if binascii.b2a_base64(decoded, newline=False) != text:
        raise UnfitMasterKey(f"Line {line} holds base64 with bits to spare that are not zero.")
    return decoded


def _strong(key: bytes, line: int) -> bytes:
    """Refuse what a person made up to get going: 32 random bytes have fewer than 8 different ones about never."""
    if len(set(key)) < _FEWEST_DIFFERENT_BYTES:
        raise UnfitMasterKey(f"Line {line} holds a key that is not random.")
    return key
