"""The static optimum as a policy, and what it takes off the O(V) backlog."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Contender, Experiment, Grid, vary
from quedge.experiments.presentation import DELAY_P95, ENERGY_QUEUE, POWER, QUEUE, Sweep, Table
from quedge.experiments.priced import AtPrices
from quedge.experiments.probes.learning_cost import LearningCost
from quedge.experiments.results import Results, listed
from quedge.policy.registry import EXACT

STATIC, PLACE_HOLDER = Contender("static", AtPrices()), Contender("place-holder", AtPrices(place_holder=True))
V_VALUES = (1.0, 20.0, 100.0, 1000.0)


def found_queues(found: Results) -> str:
    """At the paper's V, and at the largest."""
    parts = [
        f"at V = {v:g} (Mbit): {listed(found.each('data_queue_mbit', v=v), '.1f')}" for v in (V_VALUES[1], V_VALUES[-1])
    ]
    return f"Data queue {'; '.join(parts)}."


EXPERIMENT = Experiment(
    name="beyond-static",
    title="Policies that know the prices of the largest load",
    caption="Drift-plus-penalty as the exact policy, started at the prices, and at fixed prices; docs/capacity.md.",
    grids=[Grid([EXACT, PLACE_HOLDER, STATIC], vary(v=V_VALUES))],
    probe=LearningCost(),
    figure=Sweep("v", [QUEUE, DELAY_P95, POWER], logarithmic=True),
    table=Table([("v", "V")], [QUEUE, DELAY_P95, ENERGY_QUEUE, POWER]),
    remarks=[
        "The prices are those at which the budget is just spent at the largest load. At a smaller load queues are "
        "empty more often, and less power is drawn.",
        "Both policies know the channel's distribution beforehand, as no policy in the paper does.",
    ],
    chapter=BEYOND,
    result=found_queues,
)
