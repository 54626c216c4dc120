"""Which mistakes the tests notice: `python -m benchmarks.mutation [--mutants 20] [--seed 0]`.

From each part - the model, the exact policy, the controller - some mutants are drawn. Each is put into a copy of the
project and the part's own tests run on it, until one fails: for kernels at first the quick ones without compiling
anything, then all as ever. A mutant that none notices survives: a test is missing, or the mutant is no mistake, since
it does the same (docs/testing.md names these).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.mutation.mutants import Mutant, mutants_of

ROOT = Path(__file__).resolve().parent.parent.parent
COPIED = ("src", "tests", "benchmarks", "examples", "pyproject.toml")
PARTS = {
    "model": ("src/quedge/model", ("tests/model/test_*.py", "tests/policy/test_exact*.py")),
    "exact": ("src/quedge/policy/exact", ("tests/policy/test_exact*.py",)),
    "controller": ("src/quedge/controller", ("tests/controller/test_*.py",)),
}
"""Sources of each part, and its tests."""
_SLOW = ("kernel_", "at_scale", "faults", "fuzz", "kills")  # in the names of tests that come last
_LEFT_OUT = "not any_other_policy"  # a test that compiles all other policies first
_UNCOMPILED = ("model", "exact")  # parts whose quick tests run without compiling at first
_QUICK = (
    f"{_LEFT_OUT} and not many and not thousand and not three_hundred and not 2000 and not closed_loop and not 20_000 "
    "and not offloaders_that_are_moved and not worth_the_same and not along_a_chain and not lowered_once "
    "and not plain_python and not 100-2 and not 30-1 and not kernel and not interpreting"
)
_QUICK_S = 300.0

_TIMES_LONGER, _MORE_S = 3.0, 120.0  # than the tests take without a mutant
_MOST_MEMORY_BYTES = 12 << 30


class Trials:
    """Copies of the project in which tests run: one as it is, with its kept machine code, and one with a mutant."""

    def __init__(self, folder: Path) -> None:
        self._whole, self._tried = folder / "whole", folder / "tried"
        self._whole.mkdir()
        for name in COPIED:
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, self._whole / name)

    def drawn(self, part: str, count: int, seed: int, only: str) -> list[Mutant]:
        """Some mutants of a part, at random; of those of its files whose path has a text in it."""
        files = [file for file in (self._whole / PARTS[part][0]).rglob("*.py") if only in file.as_posix()]
        found = [mutant for mutant in mutants_of(self._whole, files) if _is_python(mutant)]
        return random.Random(seed).sample(found, min(count, len(found)))

    def tests(self, part: str, named: str = "") -> list[str]:
        """The files of a part's tests: those that are named as a source file first, slow ones last."""
        found = [path.relative_to(self._whole).as_posix() for like in PARTS[part][1] for path in self._whole.glob(like)]

        def rank(path: str) -> tuple[bool, bool, str]:
            return not (named and named in path), any(slow in path for slow in _SLOW), path

        return sorted(found, key=rank)

    def seconds_without_mutant(self, tests: Iterable[str]) -> float:
        """How long tests take as they are (s), after which machine code is kept; a SystemExit where one fails."""
        began = time.monotonic()
        failed, said = _run(self._whole, tests, 3600.0)
        if failed:
            sys.exit(f"without a mutant: {said}")
        return time.monotonic() - began

    def outcome(self, mutant: Mutant, part: str, limit_s: float) -> str:
        """What noticed a mutant; empty where nothing did."""
        tests = self.tests(part, Path(mutant.path).stem)
        shutil.rmtree(self._tried, ignore_errors=True)
        shutil.copytree(self._whole, self._tried)
        (self._tried / mutant.path).write_bytes(mutant.source)
        if part in _UNCOMPILED:
            failed, said = _run(self._tried, tests, _QUICK_S, _QUICK, NUMBA_DISABLE_JIT="1")
            if failed and not said.startswith(_NOT_DONE):
                return said
        failed, said = _run(self._tried, tests, limit_s)
        return said if failed else ""


_NOT_DONE = "not done after"


def _run(
    folder: Path, tests: Iterable[str], limit_s: float, chosen: str = _LEFT_OUT, **variables: str
) -> tuple[bool, str]:
    """Whether a test fails in a copy of the project, and which."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "--no-header", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "TMPDIR": str(folder)} | variables
    ignored = ["-W", "ignore"] if variables else []  # numbers that compiled code takes without a word
    running = subprocess.Popen(
        [*command, *ignored, "-k", chosen, *tests], cwd=folder, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True, preexec_fn=_limit_memory,
    )  # fmt: skip
    try:
        output, _ = running.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        return True, f"{_NOT_DONE} {limit_s:.0f} s"
    finally:
        _end(running)
    named = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return running.returncode != 0, named[-1] if named else f"exit status {running.returncode}"


def _end(running: subprocess.Popen[str]) -> None:
    """End the tests and all that they began."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))


def _is_python(mutant: Mutant) -> bool:
    try:
        compile(mutant.source, mutant.path, "exec")
    except SyntaxError:
        return False
    return True


def main() -> None:
    """Try mutants, and print each with what noticed it, and the share of those that were noticed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mutants", type=int, default=20, help="of each part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", choices=PARTS, action="append", help="all parts without")
    parser.add_argument("--only", default="", metavar="TEXT", help="of files whose path has this in it")
    parser.add_argument("--number", type=int, action="append", help="only these of the drawn ones, from 1")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # tests that run are ended
    survivors: list[str] = []
    tried = 0
    with tempfile.TemporaryDirectory(prefix="quedge-mutation-") as folder:
        trials = Trials(Path(folder))
        for part in given.part or PARTS:
            limit_s = _TIMES_LONGER * trials.seconds_without_mutant(trials.tests(part)) + _MORE_S
            for number, mutant in enumerate(trials.drawn(part, given.mutants, given.seed, given.only), 1):
                if given.number and number not in given.number:
                    continue
                began = time.monotonic()
                noticed = trials.outcome(mutant, part, limit_s)
                tried += 1
                if not noticed:
                    survivors.append(f"{part} {number}  {mutant}")
                told = noticed or "SURVIVES"
                print(f"{part} {number}  {mutant}\n    {told} ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{tried - len(survivors)} of {tried} noticed, {1.0 - len(survivors) / max(tried, 1):.0%}; not noticed:")
    print(*survivors, sep="\n")


if __name__ == "__main__":
    main()
