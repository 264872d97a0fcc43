"""What the fault tests share: they use the daemon and HTTP helpers of tests/crash."""

import argparse
import pathlib
import random
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "crash"))

from node import Bytes, Node, StartFailed, describe, free_port, need_binary, skip  # noqa: E402, F401


class Check:
    """Collects what is wrong."""

    def __init__(self):
        self.problems = []

    def that(self, ok, what):
        if not ok:
            self.problems.append(what)
            print(f"  {what}", flush=True)
        return ok


def main(name, body):
    """body(check, rng, base) returns the figure line's text."""
    p = argparse.ArgumentParser()
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    args = p.parse_args()
    need_binary()
    base = pathlib.Path(tempfile.mkdtemp(prefix=f"orlop-{name}-"))
    check = Check()
    try:
        text = body(check, random.Random(args.seed), base)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{name}: {text}; {len(check.problems)} violations (seed {args.seed})")
    sys.exit(1 if check.problems else 0)
