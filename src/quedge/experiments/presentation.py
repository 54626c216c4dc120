"""What is shown of an experiment, as data: figures, tables, and the measures in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from quedge.model.scenario import Scenario

POLICY = "policy"
"""Stands for a key where each policy has a line of its own."""

LOWER, HIGHER = "lower", "higher"


class Mark(NamedTuple):
    """A number that the paper gives.

    Attributes:
        line: what it is about: a policy's name, or the value of the key that the lines stand for.
        x: where it stands: the value of the key on the horizontal axis; None where the paper gives no place: a level at
            every value of the key, or a mean over a run.
        measure: what it measures.
        value: the number.
    """

    line: str
    x: float | None
    measure: str
    value: float


class Level(NamedTuple):
    """A value with a line of its own: what a measure has to keep to, or what the paper's text says of it."""

    value: float
    name: str


class Panel(NamedTuple):
    """One measure of a figure.

    Attributes:
        measure: its name.
        label: of its axis, with the unit.
        scale: "linear" from zero, "log", "queue" (decades where values differ by decades), or "close" (not from zero).
        level: a value with a line of its own.
        quartiles: whether it is a time, of which the median is drawn, with the quartiles as a band; see `Column`.
    """

    measure: str
    label: str
    scale: str = "linear"
    level: Level | None = None
    quartiles: bool = False


class Column(NamedTuple):
    """One measure of a table.

    Attributes:
        measure: its name.
        heading: with the unit.
        digits: after the point.
        better: `LOWER` or `HIGHER`, where one is better than the other.
        quartiles: whether it is a time, of which the median over the seeds is given, with its quartiles: `..._p25` and
            `..._p75` where the probe finds them of each run, else those over the seeds.
    """

    measure: str
    heading: str
    digits: int
    better: str | None = None
    quartiles: bool = False


@dataclass(frozen=True)
class Sweep:
    """Measures against a key of the scenario, a line a policy, or a value of another key, or a pair of both.

    A variant that leaves the key out has no place in it, nor zero on a logarithmic axis.

    Attributes:
        x: the key.
        x_label: of the horizontal axis, with the unit.
        panels: the measures.
        lines: the keys whose values a line stands for.
        logarithmic: whether the horizontal axis is.
        marks: the paper's numbers.
        only: values of keys; of the variants that have other ones nothing is drawn.
    """

    x: str
    x_label: str
    panels: Sequence[Panel]
    lines: Sequence[str] = (POLICY,)
    logarithmic: bool = False
    marks: Sequence[Mark] = ()
    only: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SweepsBeside:
    """Sweeps over different keys side by side, with the same measures under each other on a common scale.

    Attributes:
        columns: the sweeps, of the same number of panels.
    """

    columns: Sequence[Sweep]


@dataclass(frozen=True)
class Course:
    """Measures over the frames, a line a policy or a value of a key.

    Attributes:
        panels: the measures, of which the course is kept as `..._over_time`.
        lines: the key that a line stands for.
        marks: the paper's numbers, means over a run, drawn beside the panel.
    """

    panels: Sequence[Panel]
    lines: str = POLICY
    marks: Sequence[Mark] = ()


@dataclass(frozen=True)
class Ranking:
    """Measures of each policy, side by side.

    Attributes:
        panels: the measures.
    """

    panels: Sequence[Panel]


@dataclass(frozen=True)
class Front:
    """One measure against another, a point a variant, a line through those that have a key's value in common.

    Attributes:
        x: the measure on the horizontal axis.
        y: the measure on the vertical axis.
        points: the key that varies along a line.
        lines: the key that a line stands for.
        highlight: the values of both keys, in that order, at a point to be marked.
        highlight_name: what that point is.
        x_limits: the horizontal axis reaches no farther than this; the figure's numbers have the rest.
        marks: the paper's numbers; `line` says of what.
    """

    x: Panel
    y: Panel
    points: str
    lines: str
    highlight: tuple[float, float]
    highlight_name: str
    x_limits: tuple[float, float]
    marks: Sequence[Mark] = ()


Figure = Sweep | SweepsBeside | Course | Ranking | Front


@dataclass(frozen=True)
class Table:
    """A row a variant and policy, the paper's row before ours.

    Attributes:
        keys: the scenario's keys that vary, with their headings.
        columns: the measures.
        marks: the paper's numbers; `x` is the value of the only key.
        paper_name: heading of the paper's rows; without marks it is not used.
    """

    keys: Sequence[tuple[str, str]]
    columns: Sequence[Column]
    marks: Sequence[Mark] = ()
    paper_name: str = "the paper"


@dataclass(frozen=True)
class Presentation:
    """The figure and the table of an experiment; either may be missing."""

    figure: Figure | None = None
    table: Table | None = None


BUDGET = Level(float(Scenario().per_device("power_budget_w").mean()), "budget")

QUEUE = Panel("data_queue_mbit", "data queue (Mbit)", "queue")
ENERGY_QUEUE = Panel("energy_queue", "energy queue", "queue")
POWER = Panel("power_w", "power (W)", "close", BUDGET)
REWARD = Panel("reward", "reward, objective (17)", "close")
RATE = Panel("weighted_rate_mbps", "weighted rate (Mbit/s)", "close")
OFFLOAD_RATIO = Panel("offload_ratio", "offloading ratio", "close")
DELAY = Panel("delay_frames", "mean delay (frames)", "queue")
DELAY_P95 = Panel("delay_p95_frames", "delay, 95 % (frames)", "queue")
OBJECTIVE_RATIO = Panel("objective_ratio", "objective over its optimum", "close")
DELIVERED = Panel("delivered_ratio", "delivered over the optimum", "close")

# Of power, energy queue, offloading and weighted rate less, or more, is not better in itself.
QUEUE_COLUMN = Column("data_queue_mbit", "data queue (Mbit)", 2, LOWER)
ENERGY_QUEUE_COLUMN = Column("energy_queue", "energy queue", 2)
RATE_COLUMN = Column("weighted_rate_mbps", "weighted rate (Mbit/s)", 2)
POWER_COLUMN = Column("power_w", "power (W)", 4)
OFFLOAD_RATIO_COLUMN = Column("offload_ratio", "offloading ratio", 3)
DELAY_COLUMN = Column("delay_frames", "mean delay (frames)", 2, LOWER)
DELAY_P95_COLUMN = Column("delay_p95_frames", "delay, 95 % (frames)", 1, LOWER)
OBJECTIVE_RATIO_COLUMN = Column("objective_ratio", "of the optimum", 4, HIGHER)
DELIVERED_COLUMN = Column("delivered_ratio", "delivered", 4, HIGHER)
UNSUPPORTED_COLUMN = Column("unsupported_ratio", "unsupported", 3, LOWER)

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
