"""Figure 5: high load."""

from quedge.experiments.paper.arrivals import arrival_experiment

EXPERIMENT = arrival_experiment(
    "fig5",
    "Figure 5: high load, arrival rates from 3.0 to 3.5 Mbit/s",
    5,
    (3.0, 3.1, 3.2, 3.3, 3.4, 3.5),
    None,
    [
        "The paper sees all queues out of control above λ = 3.1 and all powers above the budget above 3.2. How far "
        "each policy really reaches is measured under `beyond-stability`.",
    ],
)
