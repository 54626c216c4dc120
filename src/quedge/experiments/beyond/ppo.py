"""Model-free reinforcement learning beside agents that know the model, the best pair and the optimum."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Contender, Experiment, Grid
from quedge.experiments.model_free.trainer import ModelFree
from quedge.experiments.presentation import OBJECTIVE_RATIO, OFFLOAD_RATIO, POWER, QUEUE, Measure, Ranking, Table
from quedge.experiments.probes.learning_cost import LearningCost
from quedge.experiments.results import Results, descending, listed
from quedge.policy.registry import BEST_PAIR, EQUIVARIANT, EXACT, LYDROO_NOMA

SEEDS = 3


def found_after_training(found: Results) -> str:
    """What each reached, and after how much."""
    ratios = listed(descending(found.each("objective_ratio")), ".3f")
    frames = found.mean("experience_frames", "ppo")
    return f"Of each frame's optimum: {ratios}; PPO after {frames:,.0f} frames of training."


EXPERIMENT = Experiment(
    name="beyond-ppo",
    title="Model-free reinforcement learning",
    caption=(
        "PPO (Stable-Baselines3) trains in worlds of its own for 80 times the frames of the run, then runs without "
        "learning; the other agents learn during the run. Means over its second half."
    ),
    grids=[Grid([EXACT, EQUIVARIANT, LYDROO_NOMA, Contender("ppo", ModelFree()), BEST_PAIR], seeds=SEEDS)],
    probe=LearningCost(),
    figure=Ranking([QUEUE, POWER, OBJECTIVE_RATIO]),
    table=Table(
        [],
        [
            OBJECTIVE_RATIO,
            QUEUE,
            POWER,
            OFFLOAD_RATIO,
            Measure("experience_frames", "frames of experience", digits=0),
            Measure("learning_cpu_s", "learning, CPU time (s), median", digits=1, quartiles=True),
        ],
    ),
    remarks=[
        "PPO sees channel gains and queues on a logarithmic scale, decides who offloads, and is rewarded by objective "
        "(17); like the other agents and the best pair it leaves the powers to the greedy allocation. Those ask the "
        "model for the objective of several decisions of the same frame, PPO sees that of the one which it took.",
        "PPO's processor time is that of its training, the other agents' that of their whole run, decisions included.",
    ],
    chapter=BEYOND,
    result=found_after_training,
)
