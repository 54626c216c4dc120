"""How close each policy comes to the optimum of its frames, over time."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid
from quedge.experiments.presentation import OBJECTIVE_RATIO, POWER, QUEUE, Table, TimeSeries
from quedge.experiments.results import Results, descending, listed
from quedge.policy.registry import BESIDE, BEST_PAIR, BEST_SINGLE, EXACT, LYDROO_PUBLIC, PAPER_SCHEMES


def found_ratios(found: Results) -> str:
    """Of all policies but the exact one."""
    ratios = {policy: value for policy, value in found.each("objective_ratio").items() if policy != EXACT.name}
    return f"Of each frame's optimum: {listed(descending(ratios), '.3f')}."


EXPERIMENT = Experiment(
    name="beyond-gap",
    title="The optimality gap of each frame, over time",
    caption=(
        "Objective reached over the best that the frame's state allows, by the exact solver; means over stretches of "
        "1 % of the run."
    ),
    grids=[Grid([*PAPER_SCHEMES, *BESIDE, LYDROO_PUBLIC, BEST_PAIR, BEST_SINGLE])],
    figure=TimeSeries([OBJECTIVE_RATIO]),
    table=Table([], [OBJECTIVE_RATIO, QUEUE, POWER]),
    remarks=[
        "Time division cannot reach the optimum of superposed transmission: its line shows what the access scheme "
        "costs, not what its agent has failed to learn. The exact policy stops at a certified gap of 1e-3, the "
        "yardstick at 1e-4."
    ],
    chapter=BEYOND,
    result=found_ratios,
)
