"""Figure 7: what the power of the post-quantum module does to offloading."""

from quedge.experiments.experiment import Experiment, Grid, vary
from quedge.experiments.paper_numbers import figure7_marks
from quedge.experiments.presentation import AVERAGING, OFFLOAD_RATIO, POWER, QUEUE, Sweep
from quedge.experiments.results import Results, change, number
from quedge.policy.registry import BESIDE, LYDROO_NOMA

PQC_POWERS_W = (0.0, 0.02, 0.04, 0.06, 0.08, 0.10)


def found_at_the_ends(found: Results) -> str:
    """What the largest power does to the ratio and the power."""
    ratio, power = (
        [found.mean(measure, LYDROO_NOMA.name, pqc_power_w=at) for at in (PQC_POWERS_W[0], PQC_POWERS_W[-1])]
        for measure in ("offload_ratio", "power_w")
    )
    paper = [mark.value for mark in figure7_marks() if mark.measure == "offload_ratio"]
    return (
        f"From P_q = {PQC_POWERS_W[0]:g} to {PQC_POWERS_W[-1]:g} W the offloading ratio {change(ratio, '.1%')} "
        f"(the paper: {number(paper[0], '.1%')} to {number(paper[-1], '.1%')}), and power {change(power, '.4f')} W."
    )


EXPERIMENT = Experiment(
    name="fig7",
    title="Figure 7: offloading ratio and power against the power of the PQC module",
    caption="Means over the second half of a run at λ = 3 Mbit/s.",
    grids=[Grid([LYDROO_NOMA, *BESIDE], vary(pqc_power_w=PQC_POWERS_W))],
    figure=Sweep("pqc_power_w", [OFFLOAD_RATIO, POWER, QUEUE], marks=figure7_marks()),
    remarks=[
        AVERAGING,
        "The paper shows ratio and power and leaves out the queue, which at P_q = 0.10 W is some twenty times as long "
        "as at 0.",
        "Policies of nearly the same objective differ in their ratio: for many devices offloading gains next to "
        "nothing over computing locally. `exact` and `equivariant` offload less and have the shorter queue.",
    ],
    result=found_at_the_ends,
)
