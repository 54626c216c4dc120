"""Figure 4: low load."""

from quedge.experiments.paper.arrivals import arrival_experiment
from quedge.experiments.presentation import Level

EXPERIMENT = arrival_experiment(
    "fig4",
    "Figure 4: low load, arrival rates from 2.0 to 3.0 Mbit/s",
    4,
    (2.0, 2.2, 2.4, 2.6, 2.8, 3.0),
    Level(40.0, "paper:\nbelow 40"),
    [
        "The paper gives SCA a weighted rate of 40 Mbit/s at low load, falling slowly. At λ = 2 only 25 Mbit/s arrive: "
        "no policy can process more for long.",
    ],
)
