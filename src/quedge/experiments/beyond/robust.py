"""Decisions that know what they do not know: residual interference and errors of estimates inside the decision."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid, Variant
from quedge.experiments.presentation import OUTAGE_RATIO, POWER, QUEUE, Sweep, SweepsBeside, Table
from quedge.experiments.results import Results, at, listed
from quedge.experiments.symbols import heading_of
from quedge.policy.registry import BEST_SINGLE, EXACT, ROBUST

RESIDUES = (0.0, 1e-4, 1e-3, 1e-2, 1e-1)
ERRORS = (0.0, 0.01, 0.03, 0.1)
OUTAGE = 0.1
FRAMES = 4_000

PLAIN: Variant = {
    "residual_sic_share": 0.0, "estimate_error": 0.0, "outage_probability": None, "rate_adaptation": True,
}  # fmt: skip
FIXED: Variant = {**PLAIN, "outage_probability": OUTAGE, "rate_adaptation": False}
VARIANTS = [
    *({**PLAIN, "residual_sic_share": residue} for residue in RESIDUES),
    *({**FIXED, "estimate_error": error} for error in ERRORS),
    *({**FIXED, "rate_adaptation": True, "estimate_error": error} for error in ERRORS),
]


def without(variant: Variant, key: str) -> Variant:
    """A variant but for one key."""
    return {name: value for name, value in variant.items() if name != key}


def found_queues(found: Results) -> str:
    """Where cancellation and estimates are poor."""
    residue = found.each("data_queue_mbit", **{**PLAIN, "residual_sic_share": 1e-2})
    fixed = found.each("data_queue_mbit", **{**FIXED, "estimate_error": 0.01})
    return (
        f"Data queue (Mbit) at {at(residual_sic_share=1e-2)}: {listed(residue, ',.1f')}; at fixed rates and "
        f"{at(estimate_error=0.01)}: {listed(fixed, ',.1f')}."
    )


EXPERIMENT = Experiment(
    name="beyond-robust",
    title="Decisions that know of residual interference and errors",
    caption=(
        "Left: what cancellation leaves, known to robust. Right: errors of estimates at rates that are fixed "
        f"beforehand, with an outage probability of {OUTAGE:g}; the table has them at rates that adapt, too."
    ),
    grids=[Grid([EXACT, ROBUST, BEST_SINGLE], VARIANTS, frames=FRAMES)],
    figure=SweepsBeside(
        [
            Sweep(
                "residual_sic_share", [QUEUE, OUTAGE_RATIO, POWER], logarithmic=True,
                only=without(PLAIN, "residual_sic_share"),
            ),
            Sweep("estimate_error", [QUEUE, OUTAGE_RATIO, POWER], only=without(FIXED, "estimate_error")),
        ]
    ),
    table=Table(
        [(key, heading_of(key)) for key in ("residual_sic_share", "estimate_error", "rate_adaptation")],
        [QUEUE, OUTAGE_RATIO, POWER],
    ),
    chapter=BEYOND,
    result=found_queues,
)  # fmt: skip
