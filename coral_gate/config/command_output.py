"""
What a program prints, within a time and a size. It blocks; the reactor's thread must not call it.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import IO, Final

_PIECE_BYTES: Final = 64 * 1024


class CommandFailed(Exception):
    """The program gave no output that can be used; says why, without any of it and without its arguments."""


def command_output(words: Sequence[str], *, deadline_s: float, most_bytes: int) -> bytes:
    """
    Run a program, without a shell, and take its standard output; its other descriptors lead nowhere.

    A program that takes too long or writes too much is killed, with what it has started in its process group.

    :raises CommandFailed: it could not be started, took too long, wrote too much, or its exit code was not 0.
    """
    ends = time.monotonic() + deadline_s
    try:
        process = subprocess.Popen(  # noqa: S603  # what the operator wrote is what runs
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except (OSError, ValueError):
        raise CommandFailed("the program cannot be started.") from None
    assert process.stdout is not None
    try:
        with process.stdout:
            output = _bounded(_pieces(process.stdout, ends), most_bytes)
        code = process.wait(max(0.0, ends - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"the program took longer than {deadline_s:g} s.") from None
    finally:
        _end(process)
    if code:
        raise CommandFailed(f"the program ended with the code {code}.")
    return output


def _pieces(stream: IO[bytes], ends: float) -> Iterable[bytes]:
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while selector.select(max(0.0, ends - time.monotonic())):
            piece = os.read(stream.fileno(), _PIECE_BYTES)
            if not piece:
                return
            yield piece
    raise subprocess.TimeoutExpired("", 0)


def _bounded(pieces: Iterable[bytes], most_bytes: int) -> bytes:
    output = bytearray()
    for piece in pieces:
        output += piece
        if len(output) > most_bytes:
            raise CommandFailed(f"the program wrote more than {most_bytes} bytes.")
    return bytes(output)


def _end(process: subprocess.Popen[bytes]) -> None:
    # Its number is the group's; while it is not reaped, neither can be another's.
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
