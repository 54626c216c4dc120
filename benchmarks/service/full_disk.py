"""What a refused frame costs beside a served one: `python -m benchmarks.service.full_disk`.

The journal of a cell of ten devices may not grow any more after 900 frames without a checkpoint; the report of the next
frame is sent 200 times, then the disk has room again. Medians in µs, a report each 2 ms, and the next frame's time.
"""

from __future__ import annotations

import queue
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from quedge import EQUIVARIANT, Exact, Learner, Policy, Scenario
from quedge.controller.controller import Controller
from quedge.controller.engine import Engine, Pace, Served
from quedge.controller.journal import Journal
from quedge.controller.report import ReportRejected, checked_report
from quedge.simulation.world import draw_world

FRAMES, REFUSED = 900, 200
SCENARIO = Scenario(devices=10)
PAUSE_S = 2e-3


def measured(policy: Policy | Learner, folder: Path) -> tuple[float, float, float]:
    """Median time of a served frame, of a refused one, and the time of the first one after those (s)."""
    world = draw_world(SCENARIO, FRAMES + 100, seed=1)
    journal, told = Journal(folder / "cell.journal", "cell", ""), queue.SimpleQueue[Served | ReportRejected]()
    pace = Pace(late_s=60.0, checkpoint_frames=10**9)
    engine = Engine(lambda: Controller(SCENARIO, policy), journal, pace)
    arrived = np.vstack([np.zeros(SCENARIO.devices), world.arrival_mbit])

    def outcome(frame: int) -> tuple[bool, float]:
        report = checked_report(SCENARIO.devices, frame, world.channel_gain[frame].tolist(), arrived[frame].tolist())
        time.sleep(PAUSE_S)
        began = time.perf_counter()
        engine.submit(report, told.put)
        return isinstance(told.get(), Served), time.perf_counter() - began

    def allow(pages: int) -> None:
        journal._database.execute(f"PRAGMA max_page_count = {pages}")

    served = [outcome(frame)[1] for frame in range(FRAMES)]
    allow(1)  # as many as there are
    frame = FRAMES
    while outcome(frame)[0]:
        frame += 1
    refused = [outcome(frame)[1] for _ in range(REFUSED)]
    allow(10**6)
    is_served, next_s = outcome(frame)
    assert is_served
    engine.close()
    return median(served[-REFUSED:]), median(refused), next_s


def main() -> int:
    """Measure both kinds of policies, and print a row each."""
    print(f"{'':<12}{'served':>8}{'refused':>9}{'ratio':>7}{'next':>8}")
    for name, policy in (("exact", Exact()), ("equivariant", EQUIVARIANT)):
        with tempfile.TemporaryDirectory() as folder:
            served_s, refused_s, next_s = measured(policy, Path(folder))
        ratio = refused_s / served_s
        print(f"{name:<12}{served_s * 1e6:>8.0f}{refused_s * 1e6:>9.0f}{ratio:>7.2f}{next_s * 1e6:>8.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
