"""Coverage-guided fuzzing: `python -m benchmarks.fuzz [--minutes 10] [--target report]`.

Whatever comes from outside as bytes - reports, records of a journal, the stream of a secured uplink, scenario files -
goes through the targets of `tests/fuzz/targets.py`, from the inputs kept in `tests/fuzz/corpus/` on, which Atheris
changes so that they reach code that none has reached. With `--keep` those that reach more are kept there for the tests.
What a target does not allow is told with the input and ends that target's run. It needs the extra `fuzz`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
GUIDED_BY = [
    "quedge.service.translate", "quedge.service.coap", "quedge.controller", "quedge.files", "quedge.pqc",
    "quedge.model.scenario", "quedge.model.security", "quedge.policy.lydroo.archive", "tomllib", "zipfile",
]  # fmt: skip
"""Modules whose code the search looks at."""
_LONGEST = 600  # bytes of an input
_NO_KERNELS = {"NUMBA_DISABLE_JIT": "1"}  # what Atheris watches is not what Numba compiles


def guided(target: str, arguments: list[str]) -> None:
    """Run Atheris on a target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=GUIDED_BY):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *arguments], TARGETS[target])
    atheris.Fuzz()


def run(target: str, minutes: float, seed: int, keep: bool) -> bool:
    """Fuzz a target; whether nothing was found."""
    kept = CORPUS / target
    with tempfile.TemporaryDirectory(prefix="quedge-fuzz-") as folder:
        found = Path(folder, "found")
        found.mkdir()
        limits = (f"-max_total_time={round(60 * minutes)}", f"-seed={seed}", f"-max_len={_LONGEST}")
        done = _atheris(target, str(found), str(kept), *limits, f"-artifact_prefix={folder}/")
        told = re.findall(r"^#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+)", done.stderr, re.MULTILINE)
        print(f"{target}: " + ("{} inputs, {} places, {} features".format(*told[-1]) if told else "ended"), flush=True)
        if done.returncode:
            print(done.stdout[-4000:], done.stderr[-4000:], *_wrong(Path(folder)), sep="\n")
        if keep:
            _keep(target, found, kept)
    return done.returncode == 0


def _atheris(target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.fuzz", "--inside", target, "--", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | _NO_KERNELS, capture_output=True, text=True, errors="replace", check=False
    )


def _wrong(folder: Path) -> list[str]:
    """The inputs that a target did not allow, as Python writes them."""
    return [f"{path.name}: {path.read_bytes()!r}" for path in folder.glob("*-*") if path.is_file()]


def _keep(target: str, found: Path, kept: Path) -> None:
    """Keep of all inputs, from the shortest on, those that reach a step between two lines that none before reached."""
    from tests.fuzz.targets import TARGETS

    inputs = sorted(
        {path.read_bytes() for path in (*kept.iterdir(), *found.iterdir())}, key=lambda data: (len(data), data)
    )
    reached: set[tuple[str, int, int]] = set()
    names = set()
    for data in inputs:
        steps = steps_of(TARGETS[target], data)
        if steps - reached:
            reached |= steps
            names.add(hashlib.sha256(data).hexdigest()[:12])
            (kept / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
    for path in kept.iterdir():
        if path.name not in names:
            path.unlink()
    print(f"{target}: {len(names)} inputs are kept")


def steps_of(target: Callable[[bytes], None], data: bytes) -> set[tuple[str, int, int]]:
    """The steps from line to line that a target goes on an input, in the modules that the search looks at."""
    steps: set[tuple[str, int, int]] = set()
    last: dict[FrameType, int] = {}

    def follow(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        if not frame.f_globals.get("__name__", "").startswith(tuple(GUIDED_BY)):
            return None
        if event == "line":
            steps.add((frame.f_code.co_filename, last.get(frame, 0), frame.f_lineno))
            last[frame] = frame.f_lineno
        return follow

    sys.settrace(follow)
    try:
        target(data)
    finally:
        sys.settrace(None)
    return steps


def main() -> None:
    """Fuzz each target for its share of the minutes; status 1 where something was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of all targets together")
    parser.add_argument("--target", action="append", choices=sorted(path.name for path in CORPUS.iterdir()))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="inputs that reach more, in tests/fuzz/corpus/")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        guided(given.inside, given.arguments)
        return
    targets = given.target or sorted(path.name for path in CORPUS.iterdir())
    fine = [run(target, given.minutes / len(targets), given.seed, given.keep) for target in targets]
    sys.exit(not all(fine))


if __name__ == "__main__":
    main()
