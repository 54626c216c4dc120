"""The largest arrival rate that each policy keeps stable."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid
from quedge.experiments.presentation import HIGHER, Measure, Ranking, Table
from quedge.experiments.probes.largest_stable_rate import LargestStableRate
from quedge.experiments.results import Results, descending, listed
from quedge.policy.registry import ALL_LOCAL, BEST_PAIR, BEST_SINGLE, EQUIVARIANT, EXACT, LYDROO_NOMA, LYDROO_TDMA

STABLE_RATE = Measure(
    "largest_stable_rate_mbps", "largest stable arrival rate λ (Mbit/s)", "close",
    heading="largest stable λ (Mbit/s)", digits=3, better=HIGHER,
)  # fmt: skip


def found_rates(found: Results) -> str:
    """All of them."""
    rates = descending(found.each("largest_stable_rate_mbps"))
    return f"Largest stable λ (Mbit/s): {listed(rates, '.2f')}."


EXPERIMENT = Experiment(
    name="beyond-stability",
    title="The largest stable arrival rate of each policy",
    caption="Bisection on λ to 0.5 %.",
    grids=[Grid([EXACT, EQUIVARIANT, LYDROO_NOMA, LYDROO_TDMA, BEST_PAIR, BEST_SINGLE, ALL_LOCAL])],
    probe=LargestStableRate(),
    figure=Ranking([STABLE_RATE]),
    table=Table([], [STABLE_RATE]),
    remarks=[
        "A run is stable if over its second half the mean data queue grows by no more than 1 % of what arrives (least "
        "squares) and the mean power exceeds its budget by no more than 1 %. A cell that is a little overloaded takes "
        "longer to show it than any run lasts, so shorter runs give slightly larger rates.",
        "Without offloading the budget allows 2 Mbit/s exactly: κ f³ = 0.08 W at f = 0.2 GHz.",
    ],
    chapter=BEYOND,
    result=found_rates,
)
