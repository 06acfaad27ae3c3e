"""Asking a running daemon, through the operator's socket."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coral_gate.cli.exits import Exit
from coral_gate.errors import ConfigError, Problem
from coral_gate.operations.operator_lines import LONGEST_ANSWER_BYTES, Done, Failed, NotALine, Progress, Request, read_answer, request_line
from coral_gate.operations.operator_socket import SOCKET_NAME

if TYPE_CHECKING:
    from coral_gate.config import Config

_CONNECT_S: Final = 5.0
ANSWER_S: Final = 30.0
"""How long a daemon may take to say the next line of an answer, where nothing long is asked for."""
LONG_S: Final = 930.0
"""The same for work on a sandbox, which has a deadline of its own in the daemon."""

Show = Callable[[str], None]


class NotRunning(Exception):
    """No daemon answers; the text says in a sentence what to do."""


class NotDone(Exception):
    """
    The daemon did not do it; the text is its sentence.

    :ivar word: the same for a program.
    """

    def __init__(self, sentence: str, word: str) -> None:
        super().__init__(sentence)
        self.word = word


def show_progress(sentence: str) -> None:
    """Print how far it is to stderr, for a person who waits."""
    print(sentence, file=sys.stderr, flush=True)


def ask(
    config: Config, do: str, given: Mapping[str, object], *, show: Show = show_progress, wait_s: float = ANSWER_S
) -> Mapping[str, object]:
    """
    What a running daemon answers.

    :param show: is told how far it is.
    :param wait_s: how long each line of the answer may take.
    :raises NotRunning: there is no daemon, or it does not answer.
    :raises NotDone: it did not do it.
    :raises ConfigError: this user may not reach the socket.
    """
    line = request_line(Request(do, given))
    with _connected(config.gate.state_directory, wait_s) as connection:
        try:
            connection.sendall(line)
            return _answer(connection, show)
        except TimeoutError:
            raise NotRunning(f"The daemon has not answered for {wait_s:g} seconds; 'coral-gate check' and its log say more.") from None
        except (OSError, NotALine):
            raise NotRunning("The daemon hung up without an answer; it may be stopping, or this user may not ask it.") from None


def ask_if_running(config: Config, do: str, given: Mapping[str, object], *, wait_s: float = ANSWER_S) -> Mapping[str, object] | None:
    """The same; None where no daemon answers."""
    try:
        return ask(config, do, given, wait_s=wait_s)
    except NotRunning:
        return None


def follow_if_running(config: Config) -> bool:
    """Have a running daemon look at once at what was revoked, as it does each second by itself; False where it has not."""
    try:
        return ask_if_running(config, "daemon.follow", {}, wait_s=5.0) is not None
    except NotDone:
        return False


def _answer(connection: socket.socket, show: Show) -> Mapping[str, object]:
    with connection.makefile("rb") as lines:
        while True:
            line = lines.readline(LONGEST_ANSWER_BYTES)
            if not line.endswith(b"\n"):
                raise NotALine("The answer is cut short.")
            match read_answer(line[:-1]):
                case Progress(sentence):
                    show(sentence)
                case Done(facts):
                    return facts
                case Failed(sentence, word):
                    raise NotDone(sentence, word)


def _connected(folder: Path, wait_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connection.settimeout(_CONNECT_S)
            connection.connect(f"/proc/self/fd/{at}/{SOCKET_NAME}")
        finally:
            os.close(at)
    except PermissionError:
        connection.close()
        what = "This user may not ask the daemon."
        raise ConfigError((Problem(str(folder / SOCKET_NAME), "", what, "Be the daemon's user, or root."),)) from None
    except OSError:
        connection.close()
        raise NotRunning("The daemon does not run; start it with 'coral-gate run' or 'systemctl start coral-gate'.") from None
    connection.settimeout(wait_s)
    return connection


def excused(verb: str, work: Callable[[], int]) -> int:
    """
    The exit code of work that asks the daemon; where it could not be done, stderr says why.

    :raises ConfigError: as `ask`.
    """
    try:
        return work()
    except NotRunning as error:
        print(f"coral-gate {verb}: {error}", file=sys.stderr)
        return Exit.UNAVAILABLE
    except NotDone as error:
        print(f"coral-gate {verb}: {error}", file=sys.stderr)
        return Exit.FAILED
