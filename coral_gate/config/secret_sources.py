"""
References to secrets: the configuration says where a secret is, never what it is.

The secret is read when it is needed, not with the file; it is in memory only as a `Secret`.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NoReturn

from attrs import frozen

from coral_gate.config.command_output import CommandFailed, command_output
from coral_gate.config.definitions import Kind
from coral_gate.config.places import Place, shown
from coral_gate.config.regular_files import NotRegular, read_regular
from coral_gate.errors import ConfigError, Problem
from coral_gate.model import Secret

LARGEST_SECRET_BYTES: Final = 64 * 1024
COMMAND_DEADLINE_S: Final = 10.0

_NOT_SHOWN: Final = "Found a value that is not shown, since it might be the secret itself"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")


class _Unfit(Exception):
    """There is no usable secret there; says why, without any of it."""


@frozen
class SecretSource:
    """
    Where a secret is.

    :ivar scheme: `file`, `env`, `command` or `credential`.
    :ivar rest: what follows the colon.
    :ivar folder: what a relative path is taken from.
    :ivar where: `file:line` of the configuration.
    :ivar key: the dotted key there.
    """

    scheme: str
    rest: str
    folder: Path
    where: str
    key: str

    @property
    def label(self) -> str:
        """For operators and logs; of a command only its program, since its arguments are nobody's business."""
        return f"{self.scheme}:{shlex.split(self.rest)[0] if self.scheme == 'command' else self.rest}"

    def read(self) -> Secret:
        """
        The secret's bytes as they are, at most 64 KiB. It blocks, a command for at most 10 s: call it in a thread.

        :raises ConfigError: there is no usable secret at this moment; fix what it says and try again.
        """
        try:
            value = _READERS[self.scheme](self)
        except _Unfit as unfit:
            self._refuse(str(unfit))
        if not value:
            self._refuse("it is empty.")
        if len(value) > LARGEST_SECRET_BYTES:
            self._refuse("it is larger than 64 KiB.")
        return Secret(value)

    def read_line(self) -> Secret:
        """
        The same for a secret that is one line of text, such as a password: without the line break that editors put at the end.

        :raises ConfigError: as `read`; or it is more than one line.
        """
        line = re.sub(rb"\r?\n\Z", b"", self.read().reveal())
        if not line or re.search(rb"[\r\n\0]", line):
            self._refuse("it is not one line of text.")
        return Secret(line)

    def _refuse(self, why: str) -> NoReturn:
        problem = Problem(where=self.where, key=self.key, what=f"The secret at {shown(self.label)} cannot be used: {why}")
        raise ConfigError((problem,)) from None


@frozen
class SecretReference(Kind[SecretSource]):
    """A string that says where a secret is; a string that might be the secret is refused without being shown."""

    @property
    def words(self) -> str:
        """See `Kind.words`."""
        return 'where a secret is: "file:/path", "credential:NAME", "env:NAME" or "command:program argument"'

    def read(self, found: object, place: Place) -> SecretSource:
        """See `Kind.read`."""
        scheme, colon, rest = found.partition(":") if isinstance(found, str) else ("", "", "")
        if not colon or scheme not in _FORMS:
            place.fail(f"{_NOT_SHOWN}; expected {self.words}.", "If it is the secret, put it into a file of mode 0600.")
        try:
            _FORMS[scheme](rest)
        except ValueError as error:
            place.fail(f"{_NOT_SHOWN}; expected {self.words}.", str(error))
        where, key = place.report.where(place.path), place.key
        return SecretSource(scheme, rest, folder=place.report.folder, where=where, key=key)

    def show(self, value: SecretSource) -> str:
        """See `Kind.show`."""
        return shown(f"{value.scheme}:{value.rest}")


def _check_path(rest: str) -> None:
    if not rest or not rest.isprintable() or rest.startswith("~"):
        raise ValueError("After file: comes a path; a leading ~ is not expanded.")


def _check_variable(rest: str) -> None:
    if not _VARIABLE.match(rest):
        raise ValueError("After env: comes the name of an environment variable.")


def _check_credential(rest: str) -> None:
    if not _CREDENTIAL.match(rest):
        raise ValueError("After credential: comes the name of a systemd credential: letters, digits, _ . and -.")


def _check_command(rest: str) -> None:
    try:
        words = shlex.split(rest)
    except ValueError:
        words = []
    if not words or not words[0].startswith("/") or "\0" in rest:
        raise ValueError("After command: come the whole path of a program and its arguments, quoted as for a shell; none is started.")


def _read_file(source: SecretSource) -> bytes:
    return _bytes_of(source.folder / source.rest, _check_private)


def _read_credential(source: SecretSource) -> bytes:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise _Unfit("$CREDENTIALS_DIRECTORY is not set; systemd sets it for LoadCredential= and its like.")
    # systemd guards the folder, and may let the daemon's user in by an access list that looks like group bits.
    return _bytes_of(Path(folder) / source.rest, lambda status: None)


def _read_variable(source: SecretSource) -> bytes:
    value = os.environb.get(source.rest.encode())
    if value is None:
        raise _Unfit("the environment variable is not set.")
    return value


def _read_command(source: SecretSource) -> bytes:
    try:
        return command_output(shlex.split(source.rest), deadline_s=COMMAND_DEADLINE_S, most_bytes=LARGEST_SECRET_BYTES)
    except CommandFailed as failed:
        raise _Unfit(str(failed)) from None


def _bytes_of(path: Path, check: Callable[[os.stat_result], None]) -> bytes:
    try:
        return read_regular(path, LARGEST_SECRET_BYTES, check)
    except NotRegular:
        raise _Unfit("it is not a regular file.") from None
    except OSError as error:
        raise _Unfit(f"{(error.strerror or 'it cannot be read').lower()}.") from None


def _check_private(status: os.stat_result) -> None:
    if status.st_mode & 0o077:
        raise _Unfit("others than its owner may use the file; set its mode to 0600.")
    if status.st_uid not in (0, os.geteuid()):
        raise _Unfit("the file belongs to another user.")


_FORMS: Final[Mapping[str, Callable[[str], None]]] = {
    "file": _check_path,
    "credential": _check_credential,
    "env": _check_variable,
    "command": _check_command,
}
_READERS: Final[Mapping[str, Callable[[SecretSource], bytes]]] = {
    "file": _read_file,
    "credential": _read_credential,
    "env": _read_variable,
    "command": _read_command,
}
