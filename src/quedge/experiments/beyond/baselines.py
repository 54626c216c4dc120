"""Baselines that the literature compares with, and model-free learning, beside the optimum of each frame."""

import dataclasses

from quedge.experiments.beyond.devices import DECISION
from quedge.experiments.beyond.stability import SHARE
from quedge.experiments.beyond.static import PLACE_HOLDER, STATIC
from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Contender, Experiment, Grid
from quedge.experiments.model_free.algorithms import DDPG, DQN, PPO, SAC, TD3
from quedge.experiments.model_free.trainer import ModelFree
from quedge.experiments.presentation import DELAY_P95, OBJECTIVE_RATIO, POWER, QUEUE, Measure, Ranking, Table
from quedge.experiments.probes.carried_load import CarriedLoad
from quedge.experiments.probes.learning_cost import LearningCost
from quedge.experiments.results import Results, descending, listed
from quedge.policy.registry import AUTO, BEST_PAIR, EQUIVARIANT, EXACT, LITERATURE_SCHEMES, LYDROO_NOMA

_OFF_POLICY = ModelFree(experience=4, cells=16, episode=100, learning_rate=1e-3)

MODEL_FREE = (
    Contender("ppo", ModelFree(PPO, experience=20)),
    *(
        Contender(algorithm.name.lower(), dataclasses.replace(_OFF_POLICY, algorithm=algorithm))
        for algorithm in (DQN, SAC, TD3, DDPG)
    ),
)
"""Each with its budget of training: for a run of 10,000 frames 200,000 for PPO, 40,000 for the off-policy ones."""


def found_ratios(found: Results) -> str:
    """Of all policies but the exact one."""
    ratios = {policy: value for policy, value in found.each("objective_ratio").items() if policy != EXACT.name}
    return f"Of each frame's optimum: {listed(descending(ratios), '.3f')}."


KNOWN = (EXACT, EQUIVARIANT, LYDROO_NOMA, BEST_PAIR, AUTO)

EXPERIMENT = Experiment(
    name="beyond-baselines",
    title="The baselines of the literature, and model-free learning",
    caption=(
        "Model-free algorithms (Stable-Baselines3) train before the run, in worlds of their own, and learn nothing in "
        "it; droo, lydroo-noma and equivariant learn during it. Means over its second half."
    ),
    grids=[Grid([*KNOWN, *LITERATURE_SCHEMES, *MODEL_FREE, PLACE_HOLDER, STATIC])],
    probe=LearningCost(carried=CarriedLoad()),
    figure=Ranking([QUEUE, POWER, SHARE]),
    table=Table(
        [],
        [
            OBJECTIVE_RATIO,
            QUEUE,
            DELAY_P95,
            POWER,
            SHARE,
            DECISION,
            Measure("experience_frames", "frames of training", digits=0),
        ],
    ),
    remarks=[
        "droo, myopic and myopic-saving maximise each frame's weighted rate and know neither queue: their share of the "
        "optimum says how far that is from objective (17), not how well they reach what they aim at.",
        "auto, place-holder and static decide by weights of their own, and their shares of the optimum say as little. "
        "The latter two know the channel's distribution beforehand: their frames of training are its channels.",
        "The share of the capacity is measured as in beyond-stability, with 5 % more offered than can be carried. "
        "There agents learn afresh, and what was trained at the paper's load is not trained for that.",
        "Decision times are those of jobs that ran side by side. Those of agents include learning; model-free networks "
        "are computed by NumPy.",
    ],
    chapter=BEYOND,
    result=found_ratios,
)
