"""Experiments beyond the paper."""

from quedge.experiments.beyond import (
    baselines,
    capacity,
    cells,
    channels,
    devices,
    edge,
    front,
    gap,
    munich,
    ppo,
    pqc,
    robust,
    stability,
    static,
    sweeps,
)

EXPERIMENTS = (
    sweeps.ARRIVALS,
    sweeps.DELAY,
    capacity.EXPERIMENT,
    stability.EXPERIMENT,
    static.EXPERIMENT,
    sweeps.CIRCUIT_POWER,
    pqc.SUITES,
    pqc.LEVELS_ALONE,
    sweeps.V,
    sweeps.NU,
    front.EXPERIMENT,
    gap.EXPERIMENT,
    baselines.EXPERIMENT,
    ppo.EXPERIMENT,
    munich.EXPERIMENT,
    channels.EXPERIMENT,
    robust.EXPERIMENT,
    edge.SERVER,
    edge.BATTERIES,
    cells.EXPERIMENT,
    devices.EXPERIMENT,
)
"""In the order in which a report lists them."""
