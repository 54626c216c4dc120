"""A service under a seeded mixture of faults: `python -m benchmarks.service.chaos [--minutes 60] [--seed 0]`.

`quedge serve` is a child process with few descriptors. Base stations, devices and gateways report all the time; it is
killed, ended, paused, hung up on, migrated, its disk is full, its files are unlinked, its folder is read-only, nobody
reads its log, its clock jumps, and crowds of clients come that are too many, silent, foreign or talk nonsense. No
acknowledged frame may be lost or served twice, each answer must be that of a run in one piece, bit for bit, a state may
begin anew only where its files were removed, `/healthz` may not say well while reports are refused for the state's
sake, and the process may not end, or log a mistake, that nobody asked for. What is drawn follows from the seed; what it
meets depends on the machine's time.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.service.chaos.arena import POLICIES, Arena
from benchmarks.service.chaos.assaults import DOOMED, Assaults
from benchmarks.service.chaos.child import until
from benchmarks.service.chaos.members import Member
from benchmarks.service.chaos.settling import Settling
from benchmarks.service.chaos.stations import BaseStation

SETTLE_S, PACE_S = 1.0, 0.01


class Found(NamedTuple):
    """What a run showed.

    Attributes:
        counts: what was done and seen, by name.
        failure: the first failure in words; empty without one.
    """

    counts: Counter[str]
    failure: str


def run(seconds: float, seed: int, policy: str = "best-pair", most: float = math.inf, over_tls: bool = False) -> Found:
    """Have the service under faults for so long, or for so many, then have it end well."""
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(Path(folder), policy, seed, over_tls)
        stations = [
            BaseStation(arena, "north", 1, streams=True, pace_s=PACE_S),
            BaseStation(arena, "south", 2, streams=False, pace_s=PACE_S),
            BaseStation(arena, DOOMED, 3, streams=True, pace_s=PACE_S),
        ]
        settlings = [Settling(arena, "roof", 3), Settling(arena, "yard", 2)]
        roof, yard = (settling.heard for settling in settlings)
        members = [Member(arena, "roof", [number], False, roof, 10 + number, PACE_S) for number in range(3)]
        members += [Member(arena, "yard", group, True, yard, 20 + group[0], PACE_S) for group in ([0, 1], [2])]
        reporters = [*stations, *members]
        child = arena.child
        try:
            child.begin()
            for reporter in reporters:
                reporter.start()
            _harass(arena, settlings, time.monotonic() + seconds, most)
            if not arena.failure:
                _end_well(arena, reporters, settlings)
        except Exception as error:
            arena.fail(f"{type(error).__name__}: {error}")
        finally:
            arena.over.set()
            child.put_down()
            for reporter in reporters:
                if reporter.ident is not None:
                    reporter.join(60.0)
        return Found(arena.counts, arena.failure)


def _harass(arena: Arena, settlings: list[Settling], until_s: float, most: float) -> None:
    """Do one thing after another until it is time, these are enough, or something has failed."""
    rng = np.random.default_rng([arena.seed, 0])
    assaults, settled = Assaults(arena, rng, settlings), time.monotonic()
    while time.monotonic() < until_s and most > 0 and not arena.over.is_set():
        most -= 1
        time.sleep(float(rng.exponential(0.5)))
        assaults.one()
        arena.child.check()
        if time.monotonic() - settled > SETTLE_S:
            settled = time.monotonic()
            for settling in settlings:
                settling.look(is_running=True)
                settling.settle()


def _end_well(arena: Arena, reporters: list[BaseStation | Member], settlings: list[Settling]) -> None:
    """All report on, all is well, all comes to its end, and stands where it should, also after a last start."""
    before = [reporter.acknowledged for reporter in reporters]
    until(
        lambda: (
            arena.over.is_set() or all(each.acknowledged > was for each, was in zip(reporters, before, strict=True))
        ),
        "that all are served again",
    )
    until(lambda: arena.over.is_set() or arena.child.health()[0] == 200, "that /healthz says well")
    arena.over.set()
    for reporter in reporters:
        reporter.join(60.0)
        arena.check(not reporter.is_alive(), f"{reporter.name} hangs")
    if arena.failure:
        return
    arena.child.end()
    for settling in settlings:
        settling.look(is_running=False)
        settling.settle(is_over=True)
    arena.child.begin()
    for each in (*settlings, *(reporter for reporter in reporters if isinstance(reporter, BaseStation))):
        each.check_stands()
    arena.child.end()


def main() -> int:
    """Print what a run did and found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--policy", choices=sorted(POLICIES), default="best-pair")
    parser.add_argument("--tls", action="store_true", help="over mutual TLS, with certificates that are renewed")
    given = parser.parse_args()
    began = time.monotonic()
    found = run(60.0 * given.minutes, given.seed, given.policy, over_tls=given.tls)
    how = "mutual TLS" if given.tls else "plain text"
    print(f"seed {given.seed}, {given.policy}, {how}, {(time.monotonic() - began) / 60:.1f} min")
    for name, count in sorted(found.counts.items()):
        print(f"{count:>10,}  {name}")
    again = (
        f"python -m benchmarks.service.chaos --minutes {given.minutes:g} --seed {given.seed} --policy {given.policy}"
        + " --tls" * given.tls
    )
    print(f"FAILED: {found.failure}\n  {again}" if found.failure else "nothing lost, nothing twice, nothing diverged")
    return int(bool(found.failure))


if __name__ == "__main__":
    sys.exit(main())
