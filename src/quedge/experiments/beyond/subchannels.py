"""Sub-channels and groups: how many of either, and what a rule loses against a search with a bound."""

from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Experiment, Grid, Variant
from quedge.experiments.presentation import (
    DELAY_P95,
    OBJECTIVE_RATIO,
    OFFLOAD_RATIO,
    POWER,
    QUEUE,
    Sweep,
    SweepsBeside,
    Table,
)
from quedge.experiments.results import Results, listed
from quedge.experiments.symbols import heading_of
from quedge.model.scenario import Scenario
from quedge.policy.registry import EXACT_GROUPS, OFDMA, ROUND_ROBIN, STRONG_WEAK

CELL = Scenario(devices=20, bandwidth_hz=4e6, subchannels=5, group_size_max=4)
"""As much bandwidth a device as in the paper's cell."""

SUBCHANNELS = (1, 2, 5, 10, 20)
GROUP_SIZES = (1, 2, 3, 4)
USUAL: Variant = {"subchannels": CELL.subchannels, "group_size_max": CELL.group_size_max}


def found_at_the_usual(found: Results) -> str:
    """The queues of all policies in the usual division."""
    queues = listed(found.each("data_queue_mbit", **USUAL), ".1f")
    return (
        f"Data queue with {CELL.subchannels} sub-channels and groups of up to {CELL.group_size_max} (Mbit): {queues}."
    )


EXPERIMENT = Experiment(
    name="beyond-subchannels",
    title="Sub-channels and groups",
    caption=(
        "Twenty devices in twice the paper's bandwidth: left, the number of sub-channels with up to four devices on "
        "each; right, the devices allowed on each of five. Sub-channels fade alike."
    ),
    grids=[
        Grid(
            [EXACT_GROUPS, STRONG_WEAK, ROUND_ROBIN, OFDMA],
            [
                *({**USUAL, "subchannels": number} for number in SUBCHANNELS),
                *({**USUAL, "group_size_max": size} for size in GROUP_SIZES if size != CELL.group_size_max),
            ],
            base=CELL,
            frames=2_000,
        )
    ],
    figure=SweepsBeside(
        [
            Sweep(
                "subchannels",
                [QUEUE, POWER, OBJECTIVE_RATIO],
                logarithmic=True,
                only={"group_size_max": CELL.group_size_max},
            ),
            Sweep("group_size_max", [QUEUE, POWER, OBJECTIVE_RATIO], only={"subchannels": CELL.subchannels}),
        ]
    ),
    table=Table([(key, heading_of(key)) for key in USUAL], [QUEUE, DELAY_P95, POWER, OFFLOAD_RATIO, OBJECTIVE_RATIO]),
    remarks=[
        "'Of the optimum' is over an upper bound on each frame's optimum, the policy's own for exact-groups: what is "
        "missing to 1 is the stated gap.",
        "With one sub-channel and a group of four, four devices share the whole bandwidth; with as many sub-channels "
        "as devices, everybody may be alone on a twentieth of it.",
    ],
    chapter=BEYOND,
    result=found_at_the_usual,
)
