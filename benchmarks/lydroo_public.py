"""CPU time of our agents beside LyDROO's public code, which runs from a clone of its repository, in the same world.

    git clone https://github.com/revenol/LyDROO
    python -m benchmarks.lydroo_public LyDROO

Needs PyTorch and SciPy, as that code does. Both learn as they decide; times are of one thread, per frame.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import FRAMES, print_rows
from quedge import EQUIVARIANT, LYDROO_PUBLIC, Lydroo, Scenario, simulate
from quedge.simulation.measures import summarise
from quedge.simulation.world import draw_world

CELL = Scenario()
AGENTS = {"lydroo-noma": Lydroo(), "lydroo-public": LYDROO_PUBLIC, "equivariant": EQUIVARIANT}


class PublicCode:
    """LyDROO's actor and critic as their repository has them, driven as its main script does."""

    def __init__(self, clone: Path, devices: int) -> None:
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002  # it draws from NumPy's global stream
        sys.path.insert(0, str(clone))
        import memory  # type: ignore[import-not-found]
        import ResourceAllocation  # type: ignore[import-not-found]

        self._critic = ResourceAllocation.Algo1_NUM
        self._actor: Any = memory.MemoryDNN(
            net=[devices * 3, 256, 128, devices], learning_rate=0.01, training_interval=20, batch_size=128,
            memory_size=1024,
        )  # fmt: skip
        self._count, self._winners = devices, list[int]()

    def frame(self, gain: np.ndarray, queue: np.ndarray, energy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rate (Mbit/s) and power (W) of each device in a frame that it decides and learns from."""
        devices, frames = gain.size, len(self._winners)
        if frames and frames % 32 == 0:
            self._count = min(max(np.array(self._winners[-32:-1]) % self._count) + 2, devices)
        seen = np.concatenate((gain * 1e10, queue / 1e4, energy / 1e4))
        candidates = self._actor.decode(seen, self._count, "OPN")
        weight = [1.5 if i % 2 == 0 else 1.0 for i in range(devices)]
        found = [self._critic(each, gain * 1e10, weight, queue, energy, CELL.v) for each in candidates]
        winner = int(np.argmax([each[0] for each in found]))
        self._winners.append(winner)
        self._actor.encode(seen, candidates[winner])
        return found[winner][1], found[winner][2]


def public_run(clone: Path, frames: int) -> tuple[float, float]:
    """CPU seconds a frame, and the mean queue (Mbit) of the second half."""
    world = draw_world(CELL, frames, 0)
    code = PublicCode(clone, CELL.devices)
    queue, energy = np.zeros(CELL.devices), np.zeros(CELL.devices)
    queues = np.empty(frames)
    start = time.process_time()
    for t in range(frames):
        queues[t] = queue.mean()
        rate, power = code.frame(world.channel_gain[t], queue, energy)
        queue = np.maximum(queue - rate, 0.0) + world.arrival_mbit[t]
        energy = np.maximum(energy + CELL.nu * (power - 0.08), 0.0)
    return (time.process_time() - start) / frames, float(queues[frames // 2 :].mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clone", type=Path, help="folder with LyDROO's repository")
    parser.add_argument("--frames", type=int, default=1_000, help="of the public code; ours run 10,000")
    given = parser.parse_args()
    if not (given.clone / "memory.py").is_file():
        parser.error(f"{given.clone}: has no memory.py; it must be a clone of LyDROO's repository")
    theirs, queue = public_run(given.clone.resolve(), given.frames)
    rows = [("LyDROO's public code: CPU a frame (ms); queue (Mbit)", "-", f"{1e3 * theirs:.1f}; {queue:.1f}")]
    for name, settings in AGENTS.items():
        simulate(CELL, settings, 100)  # compile first
        start = time.process_time()
        trace = simulate(CELL, settings, FRAMES, 0)
        ours = (time.process_time() - start) / FRAMES
        rows.append(
            (
                f"{name}: CPU a frame (ms); times faster; queue (Mbit)",
                ">= 200 x" if name == "lydroo-noma" else "-",
                f"{1e3 * ours:.3f}; {theirs / ours:.0f}; {summarise(trace).data_queue_mbit:.1f}",
            )
        )
    print_rows(rows)


if __name__ == "__main__":
    main()
