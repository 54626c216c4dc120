"""The leaderboard of docs/leaderboard.md: `python -m benchmarks.leaderboard`; the extra `ppo` is needed.

The paper's cell. What learns by itself starts afresh in every world; what learns model-free is trained anew for every
world, from nothing and in other worlds, before it is met.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import quedge
from quedge.experiments.model_free.algorithms import PPO, SAC
from quedge.experiments.model_free.trainer import ModelFree
from quedge.simulation.estimates import with_margin

FRAMES, SEEDS = 4_000, 5
COLUMNS = {
    "objective_ratio": "of the optimum",
    "data_queue_mbit": "data queue (Mbit)",
    "power_w": "power (W)",
    "offload_ratio": "offloading ratio",
}


@dataclass(frozen=True)
class TrainedBefore:
    """A model-free algorithm as a learner: a new agent is one that has been trained.

    Attributes:
        settings: of the training.
        scenario: the cell to train in.
    """

    settings: ModelFree
    scenario: quedge.Scenario

    def new_agent(self, devices: int, rng: np.random.Generator) -> quedge.Policy:
        """See `quedge.Learner.new_agent`."""
        seed = int(rng.integers(2**31))
        return self.settings.train(
            self.scenario, FRAMES, seed, quedge.RicianFading(), quedge.ExponentialArrivals()
        ).policy


def main() -> None:
    """Print both halves of a row: what a policy reaches, and its paired difference to the exact one."""
    scenario = quedge.Scenario()
    ppo = ModelFree(PPO, experience=50)
    sac = ModelFree(SAC, experience=10, cells=16, episode=100, learning_rate=1e-3)
    compared = quedge.compare(
        {
            "exact": quedge.Exact(),
            "equivariant": quedge.EQUIVARIANT,
            "best-pair": quedge.BestPair(),
            "lydroo-noma": quedge.Lydroo(),
            "best-single": quedge.BestSingle(),
            "PPO": TrainedBefore(ppo, scenario),
            "SAC": TrainedBefore(sac, scenario),
        },
        scenario,
        FRAMES,
        SEEDS,
    )
    print(f"| policy | {' | '.join(COLUMNS.values())} | its difference to exact's, paired (Mbit) |")
    print(f"|{'---|' * (len(COLUMNS) + 2)}")
    order = sorted(compared.summaries, key=lambda name: -compared.means(name)["objective_ratio"].mean)
    for name in order:
        means = compared.means(name)
        cells = [with_margin(means[measure]) for measure in COLUMNS]
        paired = with_margin(compared.differences(name)["data_queue_mbit"]) if name != "exact" else ""
        print(f"| {name} | {' | '.join(cells)} | {paired} |", flush=True)


if __name__ == "__main__":
    main()
