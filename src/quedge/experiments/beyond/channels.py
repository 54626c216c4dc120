"""Correlated and imperfect channels: what each costs."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid, Variant
from quedge.experiments.presentation import (
    DELAY_P95,
    DELIVERED_RATIO,
    OBJECTIVE_RATIO,
    OFFLOAD_RATIO,
    OUTAGE_RATIO,
    POWER,
    QUEUE,
    Sweep,
    SweepsBeside,
    Table,
)
from quedge.experiments.results import Results, at, descending, listed
from quedge.experiments.symbols import heading_of
from quedge.policy.registry import BEST_PAIR, BEST_SINGLE, EQUIVARIANT, EXACT

AS_ASSUMED: Variant = {"doppler_hz": None, "shadowing_db": 0.0, "estimate_error": 0.0, "residual_sic_share": 0.0}
LEVELS = {
    "doppler_hz": (0.02, 0.05, 0.15, 0.3827),
    "shadowing_db": (3.0, 6.0, 9.0),
    "estimate_error": (0.03, 0.1, 0.3),
    "residual_sic_share": (1e-4, 1e-3, 1e-2, 1e-1),
}
"""0.3827 Hz is where J0(2π f T) first vanishes: frames are as good as independent."""

FRAMES = 4_000


def departures(*keys: str) -> list[Variant]:
    """One key at a time at each of its levels."""
    return [{**AS_ASSUMED, key: value} for key in keys for value in LEVELS[key]]


def only(key: str) -> Variant:
    """All that does not vary where one key does."""
    return {other: value for other, value in AS_ASSUMED.items() if other != key}


def found_at_the_worst(found: Results) -> str:
    """What errors of the estimates and residual interference leave of the optimum, at their largest."""
    parts = [
        f"{at(**{key: LEVELS[key][-1]})}: "
        + listed(descending(found.each("delivered_ratio", **{**AS_ASSUMED, key: LEVELS[key][-1]})), ".2f")
        for key in ("estimate_error", "residual_sic_share")
    ]
    return f"Delivered over the optimum at {'; at '.join(parts)}."


EXPERIMENT = Experiment(
    name="beyond-channels",
    title="Correlated and imperfect channels",
    caption=(
        "One impairment per column, the others off. Policies decide by the channel estimates and assume perfect "
        "cancellation; the true channel delivers. equivariant runs where these assumptions fail."
    ),
    grids=[
        Grid([EXACT, BEST_PAIR, BEST_SINGLE], [AS_ASSUMED, *departures(*LEVELS)], frames=FRAMES),
        Grid([EQUIVARIANT], [AS_ASSUMED, *departures("estimate_error", "residual_sic_share")], frames=FRAMES),
    ],
    figure=SweepsBeside(
        [
            Sweep(key, [QUEUE, POWER, DELIVERED_RATIO], logarithmic=key == "residual_sic_share", only=only(key))
            for key in LEVELS
        ]
    ),
    table=Table(
        [(key, heading_of(key)) for key in LEVELS],
        [QUEUE, DELAY_P95, POWER, OFFLOAD_RATIO, OBJECTIVE_RATIO, DELIVERED_RATIO, OUTAGE_RATIO],
    ),
    remarks=[
        "Policies plan as if cancellation were perfect, as the paper does. What is left of a strong signal drowns the "
        "weak ones decoded after it: from a share of some 0.002 on the best single offloader, whom nobody "
        "disturbs, has the shorter queue.",
        "The slower the fading, the longer a bad channel lasts. Shadowing keeps the median of the gain and raises its "
        "mean, and strong channels save power.",
        "Both ratios are to the optimum of each frame as the policy saw it: the table's 'of the optimum' is what its "
        "decisions promised, 'delivered' what came of them. The outage ratio is the share of offloading devices' "
        "frames in which the true channel carried less than promised; a code of a fixed rate would have lost those.",
    ],
    chapter=BEYOND,
    result=found_at_the_worst,
)
