"""The capacity of the cell by each way of sharing the uplink, and what policies reach of it."""

from quedge.experiments.beyond.pqc import CHACHA
from quedge.experiments.beyond.stability import CAPACITY, CARRIED, SHARE
from quedge.experiments.beyond.sweeps import BEYOND
from quedge.experiments.experiment import Contender, Experiment, Grid, Variant
from quedge.experiments.job import AccessBound
from quedge.experiments.presentation import Sweep, SweepsBeside, Table
from quedge.experiments.probes.carried_load import CarriedLoad
from quedge.experiments.results import Results
from quedge.experiments.symbols import heading_of
from quedge.policy.registry import BEST_PAIR, EQUIVARIANT, EXACT, LYDROO_NOMA

NOMA, TDMA, LOCAL = (
    Contender("any by NOMA", AccessBound("noma")),
    Contender("any by TDMA", AccessBound("tdma")),
    Contender("any, all local", AccessBound("none")),
)
LEVELS: dict[str, tuple[float, ...]] = {
    "pqc_power_w": (0.0, 0.05, 0.1),
    "devices": (5, 10, 20, 30),
    "bandwidth_hz": (0.5e6, 1e6, 2e6, 4e6),
    "distance_m": (100.0, 150.0, 200.0, 300.0),
}
STANDARD: Variant = {"pqc_power_w": 0.0, "devices": 10, "bandwidth_hz": 2e6, "distance_m": None, "suite": None}
SUITES = ("level1", "level3", "level5")
FRAMES, SEEDS = 6_000, 3


def cells() -> list[Variant]:
    """The paper's cell, one key at a time at each of its levels, and suites."""
    swept = [{**STANDARD, key: value} for key, values in LEVELS.items() for value in values if value != STANDARD[key]]
    secured = [{**STANDARD, "suite": suite, "device": "stm32f411", "aead": CHACHA} for suite in SUITES]
    return [STANDARD, *swept, *secured]


def found_in_the_paper_s_cell(found: Results) -> str:
    """The bounds there."""
    upper, lower = (found.mean(name, NOMA.name, **STANDARD) for name in ("capacity_mbps", "carried_mbps"))
    tdma, local = (found.mean("capacity_mbps", each.name, **STANDARD) for each in (TDMA, LOCAL))
    exact = found.mean("capacity_share", EXACT.name, **STANDARD)
    return (
        f"No policy carries more than {upper:.3f} Mbit/s a device, and one carries {lower:.3f}; by time division the "
        f"bound is {tdma:.3f}, without offloading {local:.3f}. The exact policy carries {exact:.2%} of what can be."
    )


EXPERIMENT = Experiment(
    name="beyond-capacity",
    title="The capacity of the cell, and what policies reach of it",
    caption=(
        "The largest load that any policy can carry within the power budgets, by NOMA, by time division, and without "
        "offloading, and what policies carry that are offered 5 % more; one key per column, the others as in the paper."
    ),
    grids=[Grid([NOMA, TDMA, LOCAL, EXACT, EQUIVARIANT, LYDROO_NOMA, BEST_PAIR], cells(), frames=FRAMES, seeds=SEEDS)],
    probe=CarriedLoad(),
    figure=SweepsBeside(
        [
            Sweep(key, [CARRIED, SHARE], only={other: value for other, value in STANDARD.items() if other != key})
            for key in LEVELS
        ]
    ),
    table=Table(
        [*((key, heading_of(key)) for key in LEVELS), ("suite", "suite")],
        [CARRIED, CAPACITY, SHARE],
    ),
    remarks=[
        "Of bounds, what is carried is the lower one: a randomised stationary policy that knows the channel's "
        "statistics carries it on the same channels. Each seed has 4,000 channels of its own.",
        "Policies are measured against the bound of the channel in the second half of just their run. Shares of "
        "policies that learn while they are overloaded include what learning costs.",
        "Suites run on an STM32F411 with ChaCha20-Poly1305; all else stands at the paper's values.",
    ],
    chapter=BEYOND,
    result=found_in_the_paper_s_cell,
)
