"""The load that each policy carries, beside the bound for every policy."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid
from quedge.experiments.presentation import HIGHER, Measure, Ranking, Table
from quedge.experiments.probes.carried_load import CarriedLoad
from quedge.experiments.results import Results, descending, listed
from quedge.policy.registry import ALL_LOCAL, BEST_PAIR, BEST_SINGLE, EQUIVARIANT, EXACT, LYDROO_NOMA, LYDROO_TDMA

CARRIED = Measure(
    "carried_mbps", "carried load (Mbit/s)", "close",
    heading="carried (Mbit/s)", digits=3, better=HIGHER,
)  # fmt: skip
CAPACITY = Measure("capacity_mbps", "capacity (Mbit/s)", "close", heading="no policy more than", digits=3)
SHARE = Measure(
    "capacity_share", "share of the capacity", "close", heading="of the capacity", digits=4, better=HIGHER
)  # fmt: skip


def found_shares(found: Results) -> str:
    """All of them."""
    shares = descending(found.each("capacity_share"))
    return f"Of the largest load that any policy can carry: {listed(shares, '.3f')}."


EXPERIMENT = Experiment(
    name="beyond-stability",
    title="The load that each policy carries",
    caption="Each policy is offered 5 % more than any can carry; what it carries is valued at the bound's prices.",
    grids=[Grid([EXACT, EQUIVARIANT, LYDROO_NOMA, LYDROO_TDMA, BEST_PAIR, BEST_SINGLE, ALL_LOCAL])],
    probe=CarriedLoad(),
    figure=Ranking([CARRIED, SHARE]),
    table=Table([], [CARRIED, CAPACITY, SHARE]),
    remarks=[
        "The bound is that of the channel in the second half of just this run, so no policy exceeds it. A search for "
        " the largest stable rate by simulation comes out too high: a cell that is a little overloaded takes longer to "
        "show it than any run lasts.",
        "Without offloading the budget allows 2 Mbit/s exactly: κ f³ = 0.08 W at f = 0.2 GHz.",
    ],
    chapter=BEYOND,
    result=found_shares,
)
