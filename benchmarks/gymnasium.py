"""Environments for Gymnasium: `python -m benchmarks.gymnasium`; the extra `ppo` is needed.

One thread, the paper's cell. Actions are drawn before: every device offloads with probability 0.2.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np

import quedge.gymnasium  # noqa: F401 - registers the environments
from benchmarks.measuring import FRAMES, Row, print_rows
from quedge import Scenario, simulate
from quedge.experiments.ppo.settings import Ppo
from quedge.simulation.measures import summarise
from quedge.simulation.processes import ExponentialArrivals, RicianFading
from quedge.simulation.side_by_side.reward import Reward

ID = "quedge/Offloading-v0"
CELLS, DEVICES, EPISODE = 256, 10, 500
ROUNDS = 3  # the best of them counts: other work on the machine can only slow down
PPO_FRAMES, PPO_SEED = 1_000, 0


def actions() -> Iterator[np.ndarray]:
    drawn = (np.random.default_rng(0).random((50, CELLS, DEVICES)) < 0.2).astype(np.int8)
    return itertools.cycle(drawn)


def seconds_a_step(env: Any) -> float:
    """Best mean wall time of a step (s) over whole episodes, worlds included."""
    drawn, found = actions(), []
    env.reset(seed=0)
    env.step(next(drawn))  # compiles
    for _ in range(ROUNDS):
        start = time.perf_counter()
        env.reset()
        for _ in range(EPISODE):
            env.step(next(drawn))
        found.append((time.perf_counter() - start) / EPISODE)
    return min(found)


def vector_rows() -> Iterator[Row]:
    made = {"num_envs": CELLS, "frames": EPISODE}
    together = seconds_a_step(gymnasium.make_vec(ID, vectorization_mode="vector_entry_point", **made))
    rate = CELLS * DEVICES / together
    yield (
        f"vector environment, N = {DEVICES}, {CELLS} cells: device-frames a second, worlds included",
        ">= 1,000,000", f"{rate:,.0f}; a step of all {together * 1e6:.0f} us, {together / CELLS * 1e6:.2f} us a cell",
    )  # fmt: skip
    for said, keys in (("as they are made", {}), ("without the optimum", {"optimum": False})):
        apart = seconds_a_step(gymnasium.make_vec(ID, vectorization_mode="sync", **made, **keys))
        yield (
            f"the same cells in a SyncVectorEnv, {said}: times slower",
            ">= 20" if not keys else "-", f"{apart / together:.1f}; {apart / CELLS * 1e6:.1f} us a cell",
        )  # fmt: skip


def ppo_rows() -> Iterator[Row]:
    """What reward and discount do to PPO, at a quarter of the experiment's experience."""
    for reward, discount in itertools.product(Reward, (0.0, 0.5, 0.9, 0.99)):
        settings = Ppo(experience=200, reward=reward, discount=discount)
        trained = settings.train(Scenario(), PPO_FRAMES, PPO_SEED, RicianFading(), ExponentialArrivals())
        found = summarise(simulate(Scenario(), trained.policy, FRAMES, PPO_SEED))
        yield (
            f"PPO, reward {reward}, discount {discount}, {trained.frames:,} frames: of the optimum", "-",
            f"{found.objective_ratio:.4f}, queue {found.data_queue_mbit:.2f} Mbit, {found.power_w:.4f} W; "
            f"{trained.cpu_s:.1f} s",
        )  # fmt: skip


def rows() -> Iterator[Row]:
    yield from vector_rows()
    yield from ppo_rows()


if __name__ == "__main__":
    print_rows(rows())
