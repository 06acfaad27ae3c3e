"""
`make demo`: the gate, one sandbox with the real OpenClaw, and a model, all on this machine until Ctrl-C.

With `--check` nobody has to sit at it: it walks through everything once and says for each step whether it held.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from tools import openclaw
from tools.demo.place import CannotRun
from tools.demo.running import Demo


def arguments() -> argparse.Namespace:
    """The words of the command line; those of the environment stand where they say nothing."""
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--check", action="store_true", help="walk through everything once, then stop")
    parser.add_argument("--model-url", default=os.environ.get("MODEL_URL", ""), help="a model in the manner of OpenAI's API")
    parser.add_argument("--model", default=os.environ.get("MODEL", "gpt-4o-mini"), help="its name there (default: %(default)s)")
    return parser.parse_args()


def stay(demo: Demo) -> int:
    """Say how to get in, then wait until somebody or something ends it."""
    print(f"\n  Open  {demo.origin}  (your browser will warn of the certificate: it was made here just now)")
    print(f"  and sign in with the word  {demo.word()}\n\n  Ctrl-C ends it.", flush=True)
    while demo.running():
        time.sleep(0.5)
    print(f"The gate has ended by itself; {demo.log} says why.")
    return 1


def main() -> int:
    """Run until the end; 0 where nothing was wrong."""
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    demo = Demo(openclaw.DEMO / ("check" if args.check else "state"), args.model_url, args.model, another_port=args.check)
    try:
        if args.check:
            from tools.demo.check.walk import walk

            return walk(demo)
        demo.begin()
        return stay(demo)
    except (CannotRun, openclaw.NotInstalled) as why:
        print(why, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        demo.end()


if __name__ == "__main__":
    assert Path.cwd().is_dir()
    sys.exit(main())
