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
from quedge.experiments.model_free.trainer import ModelFree
from quedge.simulation.measures import summarise
from quedge.simulation.processes import ExponentialArrivals, RicianFading
from quedge.simulation.vector_cells.observation import Reward

ID = "quedge/Offloading-v0"
CELLS, DEVICES, EPISODE = (1, 8, 16, 32, 64, 128, 256), 10, 500
ROUNDS, STRETCH = 3, 50  # episodes, and steps of them that are timed together
PPO_FRAMES, PPO_SEED = 1_000, 0


def actions(cells: int) -> Iterator[np.ndarray]:
    drawn = (np.random.default_rng(0).random((50, cells, DEVICES)) < 0.2).astype(np.int8)
    return itertools.cycle(drawn)


def seconds_a_step(environments: dict[str, Any], cells: int) -> dict[str, tuple[float, float]]:
    """Best mean wall time of a step (s), its share of drawing an episode's worlds included, and that share, of each.

    They take turns, and the best of short stretches counts, so that other work on the machine meets them alike.
    """
    drawn, found = actions(cells), {}
    for env in environments.values():
        env.reset(seed=0)
        env.step(next(drawn))  # compiles
    resets = {name: np.empty(ROUNDS) for name in environments}
    stretches = {name: np.empty((ROUNDS, EPISODE // STRETCH)) for name in environments}
    for turn in range(ROUNDS):
        for name, env in environments.items():
            began = time.perf_counter()
            env.reset()
            resets[name][turn] = time.perf_counter() - began
            for k in range(EPISODE // STRETCH):
                began = time.perf_counter()
                for _ in range(STRETCH):
                    env.step(next(drawn))
                stretches[name][turn, k] = time.perf_counter() - began
    for name in environments:
        worlds = resets[name].min() / EPISODE
        found[name] = stretches[name].min() / STRETCH + worlds, worlds
    return found


def vector_rows() -> Iterator[Row]:
    """Like for like: the optimum is left out of both, or both are as they are made, the single ones with it."""
    for cells in CELLS:
        made = {"num_envs": cells, "frames": EPISODE}
        found = seconds_a_step(
            {
                "together": gymnasium.make_vec(ID, vectorization_mode="vector_entry_point", **made),
                "apart": gymnasium.make_vec(ID, vectorization_mode="sync", optimum=False, **made),
                "as made": gymnasium.make_vec(ID, vectorization_mode="sync", **made),
            },
            cells,
        )
        together, worlds = found["together"]
        yield (
            f"vector environment, N = {DEVICES}, {cells} cells: device-frames a second, worlds included",
            ">= 1,000,000", f"{cells * DEVICES / together:,.0f}; {together / cells * 1e6:.2f} us a cell, of which "
            f"{worlds / cells * 1e6:.2f} draw worlds",
        )  # fmt: skip
        for name, said in (("apart", "no optimum in either"), ("as made", "each as it is made")):
            yield (
                f"the same {cells} cells in a SyncVectorEnv, {said}: times slower",
                ">= 20", f"{found[name][0] / together:.1f}; {found[name][0] / cells * 1e6:.1f} us a cell",
            )  # fmt: skip


def ppo_rows() -> Iterator[Row]:
    """What reward and discount do to PPO, at a quarter of the experiment's experience."""
    for reward, discount in itertools.product(Reward, (0.0, 0.5, 0.9, 0.99)):
        settings = ModelFree(experience=200, reward=reward, discount=discount)
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
