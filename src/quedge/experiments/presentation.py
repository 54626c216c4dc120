"""What is shown of an experiment, as data: figures, tables, and the measures in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from quedge.model.scenario import Scenario

POLICY = "policy"
"""Stands for a key where each policy has a line of its own."""

LOWER, HIGHER = "lower", "higher"


class Mark(NamedTuple):
    """A number from the paper.

    Attributes:
        line: the line that it belongs to: a policy's name, or a value of the key that lines stand for.
        x: the value of the key on the horizontal axis; None where the paper gives a level for every value of the key,
            or a mean over a run.
        measure: the measure's name.
        value: the number.
    """

    line: str
    x: float | None
    measure: str
    value: float


class Level(NamedTuple):
    """A horizontal reference line: a limit, or a value from the paper's text."""

    value: float
    name: str


class Measure(NamedTuple):
    """A measure as figures and tables show it.

    Attributes:
        name: its name among the findings.
        label: of its axis, with the unit.
        scale: of its axis: "linear" (from zero), "close" (not from zero), "log", or "queue" (logarithmic where values
            differ by decades).
        level: a reference line in figures.
        heading: of its column in tables; the label where there is none.
        digits: after the decimal point in tables.
        better: `LOWER` or `HIGHER`, where one is better than the other.
        quartiles: whether it is a time, shown as the median over the seeds with its quartiles: `..._p25` and `..._p75`
            where the probe finds them in each run, else those over the seeds.
        least: the smallest value that means anything; tables have a dash below it.
    """

    name: str
    label: str
    scale: str = "linear"
    level: Level | None = None
    heading: str = ""
    digits: int = 2
    better: str | None = None
    quartiles: bool = False
    least: float = -math.inf


@dataclass(frozen=True)
class Sweep:
    """Measures against a key of the scenario; one line per policy, per value of another key, or per pair of both.

    Variants without a value of the key are left out, as are zeros on a logarithmic axis.

    Attributes:
        x: the key.
        panels: the measures.
        lines: the keys whose values a line stands for.
        logarithmic: whether the horizontal axis is.
        marks: the paper's numbers.
        only: values of other keys; variants that differ from them are left out.
    """

    x: str
    panels: Sequence[Measure]
    lines: Sequence[str] = (POLICY,)
    logarithmic: bool = False
    marks: Sequence[Mark] = ()
    only: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SweepsBeside:
    """Sweeps over different keys side by side, with the same measures on common vertical axes."""

    columns: Sequence[Sweep]


@dataclass(frozen=True)
class TimeSeries:
    """Measures over the frames, one line per policy or value of a key.

    Attributes:
        panels: the measures; their series are found as `..._over_time`.
        lines: the key that a line stands for.
        marks: the paper's means over a run, drawn beside the panel.
    """

    panels: Sequence[Measure]
    lines: str = POLICY
    marks: Sequence[Mark] = ()


@dataclass(frozen=True)
class Ranking:
    """Measures of each policy, one panel per measure."""

    panels: Sequence[Measure]


@dataclass(frozen=True)
class ParetoFront:
    """One measure against another: one point per variant, one line per value of a key.

    Attributes:
        x: the measure on the horizontal axis.
        y: the measure on the vertical axis.
        points: the key that varies along a line.
        lines: the key that a line stands for.
        highlight: the values of both keys, in that order, at a point to mark.
        highlight_name: what that point is.
        x_limits: limits of the horizontal axis; the figure's CSV file also has the points beyond.
        marks: the paper's numbers.
    """

    x: Measure
    y: Measure
    points: str
    lines: str
    highlight: tuple[float, float]
    highlight_name: str
    x_limits: tuple[float, float]
    marks: Sequence[Mark] = ()


Figure = Sweep | SweepsBeside | TimeSeries | Ranking | ParetoFront


@dataclass(frozen=True)
class Table:
    """One row per variant and policy, the paper's rows before ours.

    Attributes:
        keys: the scenario's keys that vary, with their headings.
        columns: the measures.
        marks: the paper's numbers; `x` is the value of the only key.
        paper_name: heading of the paper's rows.
    """

    keys: Sequence[tuple[str, str]]
    columns: Sequence[Measure]
    marks: Sequence[Mark] = ()
    paper_name: str = "the paper"


BUDGET = Level(Scenario().mean_power_budget_w, "budget")

# Less, or more, is not better in itself for power, energy queue, offloading ratio and weighted rate.
QUEUE = Measure("data_queue_mbit", "data queue (Mbit)", "queue", better=LOWER)
ENERGY_QUEUE = Measure("energy_queue", "energy queue", "queue")
POWER = Measure("power_w", "power (W)", "close", BUDGET, digits=4)
REWARD = Measure("reward", "reward, objective (17)", "close")
RATE = Measure("weighted_rate_mbps", "weighted rate (Mbit/s)", "close")
OFFLOAD_RATIO = Measure("offload_ratio", "offloading ratio", "close", digits=3)
MEAN_DELAY = Measure("delay_frames", "mean delay (frames)", "queue", better=LOWER)
DELAY_P95 = Measure("delay_p95_frames", "delay, 95 % (frames)", "queue", digits=1, better=LOWER)
LATE_RATIO = Measure("deadline_violation_ratio", "share of late bits", "close", digits=4, better=LOWER)
OBJECTIVE_RATIO = Measure(
    "objective_ratio", "objective over its optimum", "close", heading="of the optimum", digits=4, better=HIGHER,
    least=0.0,
)  # fmt: skip
DELIVERED_RATIO = Measure(
    "delivered_ratio", "delivered over the optimum", "close", heading="delivered", digits=4, better=HIGHER, least=0.0
)
OUTAGE_RATIO = Measure("outage_ratio", "outage ratio", "close", digits=3, better=LOWER)

RATE_TRAP = (
    "The weighted rate ranks nothing: while the queues are stable it equals the weighted arrivals, 12.5 λ with ten "
    "devices, whatever the policy. Above that it cannot stay, below it a queue grows."
)
"""Said wherever the weighted rate is shown."""

AVERAGING = (
    "Means are over the second half of the frames. The paper does not say over which frames it averages; the second "
    "half is inferred: at ν = 1 the energy queue rises all along, and a mean over the whole run would be far below "
    "its 234. Each of its rows looks like one run: five of them have the same weighted rate, 37.35 Mbit/s, as if one "
    "random stream had arrived."
)
"""Said wherever a mean stands beside the paper's."""
