"""Model-free reinforcement learning beside LyDROO, the best pair and the optimum."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid, NamedTrainer
from quedge.experiments.panels import (
    OBJECTIVE_RATIO,
    OBJECTIVE_RATIO_COLUMN,
    OFFLOAD_RATIO_COLUMN,
    POWER,
    POWER_COLUMN,
    QUEUE,
    QUEUE_COLUMN,
)
from quedge.experiments.ppo.settings import Ppo
from quedge.experiments.presentation import Column, Presentation, Ranking, Table
from quedge.experiments.probes.learning_cost import LearningCost
from quedge.experiments.schemes import BEST_PAIR, EXACT, LYDROO_NOMA

SEEDS = 3

EXPERIMENT = Experiment(
    name="beyond-ppo",
    title="Model-free reinforcement learning",
    caption=(
        "PPO of Stable-Baselines3, trained in worlds of its own for 80 times the frames of the run, then run without "
        "learning; LyDROO learns in the run itself. Means over the second half of the run, in the paper's cell."
    ),
    grids=[Grid([EXACT, LYDROO_NOMA, NamedTrainer("ppo", Ppo()), BEST_PAIR], seeds=SEEDS)],
    probe=LearningCost(),
    shown=Presentation(
        Ranking([QUEUE, POWER, OBJECTIVE_RATIO]),
        Table(
            [],
            [
                OBJECTIVE_RATIO_COLUMN,
                QUEUE_COLUMN,
                POWER_COLUMN,
                OFFLOAD_RATIO_COLUMN,
                Column("experience_frames", "frames of experience", 0),
                Column("learning_cpu_s", "learning, CPU time (s), median", 1, quartiles=True),
            ],
        ),
    ),
    remarks=[
        "PPO sees channel gains and queues on a logarithmic scale, decides who offloads, and is rewarded by objective "
        "(17); like LyDROO and the best pair it leaves the powers to the greedy allocation. LyDROO asks the model for "
        "the objective of several decisions of the same frame, PPO sees that of the one which it took.",
        "PPO's processor time is that of its training, LyDROO's that of its whole run, decisions included.",
    ],
    chapter=BEYOND,
)
