"""pydoctor over the package, less the complaints that are not about us. `python -m tests.documentation [FOLDER for the pages]`."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests import ROOT

_PLACED = re.compile(r"(?P<path>/.+?\.py):(?P<line>\d+): (?P<what>.*)\Z")
_NOT_OURS = re.compile(
    "Cannot find link target "  # a name between single backticks is code, and often Twisted's or a program's
    "|Cannot colorize regular expression"  # it does not know possessive quantifiers, which Python has since 3.11
)
_OF_A_CONSTRUCTOR = re.compile(r"Documented parameter ")


@cache
def _class_docstrings(path: str) -> list[range]:
    """The lines of every class's docstring: there `:param:` is about the constructor that attrs makes, which pydoctor does not see."""
    found = []
    for node in ast.walk(ast.parse(Path(path).read_text())):
        if isinstance(node, ast.ClassDef) and ast.get_docstring(node) is not None:
            found.append(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return found


def complaints(said: str) -> Iterator[str]:
    """Those lines of pydoctor's output that somebody has to mend."""
    for line in said.splitlines():
        placed = _PLACED.match(line)
        if placed is None:
            yield line
        elif _OF_A_CONSTRUCTOR.match(placed["what"]):
            if not any(int(placed["line"]) in lines for lines in _class_docstrings(placed["path"])):
                yield line
        elif not _NOT_OURS.match(placed["what"]):
            yield line


def main(folder: str) -> int:
    """0 where there is nothing to mend."""
    command = [sys.executable, "-m", "pydoctor", "--quiet", "--html-output", folder]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    told = list(complaints(ran.stdout))
    print("\n".join(told), end="\n" if told else "")
    return 1 if told or ran.returncode else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(sys.argv[1]))
    with tempfile.TemporaryDirectory(prefix="coral-apidocs-") as pages:
        sys.exit(main(pages))
