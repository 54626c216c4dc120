"""Policies compared over several seeds: means with intervals, and paired differences to the first one."""

from __future__ import annotations

import dataclasses
import functools
import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quedge.errors import is_integer, not_allowed
from quedge.model.scenario import Scenario
from quedge.policy.policy import Learner, Policy, check_carries, check_policy
from quedge.simulation.columns import data_frame, units_of
from quedge.simulation.estimates import Estimate, estimate, paired_difference, with_margin
from quedge.simulation.measures import Measuring, Summary, first_settled_frame
from quedge.simulation.processes import ArrivalProcess, ChannelProcess
from quedge.simulation.run import counted_from, run_in_parts
from quedge.simulation.world import WorldInParts, check_integer

SHOWN = {
    "data_queue_mbit": "queue\nMbit",
    "delay_frames": "delay\nframes",
    "weighted_rate_mbps": "rate\nMbit/s",
    "power_w": "power\nW",
    "offload_ratio": "offload\nratio",
    "objective_ratio": "of the\noptimum",
}
"""The measures that a table shows, and their headings."""

_APART = {"seed", "devices", "frames", "decisions_timed"}


def measures_by_seed(runs: Mapping[int, Summary]) -> dict[str, dict[int, float]]:
    """By measure and seed, of summaries by seed; a measure that a run lacks is left out."""
    names = [field.name for field in dataclasses.fields(Summary) if field.name not in _APART]
    values = {name: {seed: getattr(summary, name) for seed, summary in runs.items()} for name in names}
    return {name: of for name, of in values.items() if None not in of.values()}


@dataclass(frozen=True, repr=False)
class Comparison:
    """Runs of several policies in the same worlds; prints as a table, in notebooks, too.

    Attributes:
        scenario: the cell.
        frames: frames of each run.
        warmup: share of the frames at the start that the measures leave out.
        summaries: the measures of each run, by policy and seed; the first policy is the reference.

    Example:
        >>> policies = {"exact": quedge.Exact(), "local": quedge.AllLocal()}
        >>> compared = quedge.compare(policies, quedge.Scenario(devices=3), frames=50, seeds=[1, 2, 3])
        >>> longer = compared.differences("local")["data_queue_mbit"]  # than that of the first policy, paired
        >>> print(f"{longer.mean:.1f} Mbit longer, from {longer.low:.1f} to {longer.high:.1f}")
        36.0 Mbit longer, from 21.6 to 50.3
        >>> print(f"{compared.means('exact')['offload_ratio'].mean:.2f}", list(compared.summaries["exact"]))
        0.67 [1, 2, 3]
    """

    scenario: Scenario
    frames: int
    warmup: float
    summaries: Mapping[str, Mapping[int, Summary]]

    @property
    def reference(self) -> str:
        """The name of the first policy."""
        return next(iter(self.summaries))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the worlds."""
        return tuple(self.summaries[self.reference])

    def means(self, policy: str) -> dict[str, Estimate]:
        """By measure, as `Summary` names them, a policy's mean over the seeds with its 95 % interval."""
        measures = measures_by_seed(self.summaries[policy])
        return {name: estimate(list(values.values())) for name, values in measures.items()}

    def differences(self, policy: str) -> dict[str, Estimate]:
        """By measure, the mean of a policy's differences to the reference in the same world, with its interval."""
        reference = measures_by_seed(self.summaries[self.reference])
        own = measures_by_seed(self.summaries[policy])
        paired = {name: paired_difference(own[name], reference[name]) for name in own if name in reference}
        return {name: each for name, each in paired.items() if each is not None}

    def to_pandas(self) -> Any:
        """The comparison as a tidy DataFrame of pandas (extra `pandas`).

        Returns:
            One row per policy and measure, with `mean`, `low` and `high` and the same of the paired difference to the
            reference as `difference`, `difference_low` and `difference_high` (NaN in the rows of the reference);
            `attrs` has `reference`, `seeds`, `frames`, `warmup` and `units` by measure.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        rows = [row for policy in self.summaries for row in self._rows(policy)]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        attributes = {
            "reference": self.reference, "seeds": list(self.seeds), "frames": self.frames, "warmup": self.warmup,
            "units": units_of([row["measure"] for row in rows]),
        }  # fmt: skip
        return data_frame(columns, attributes, "Comparison.to_pandas")

    def _rows(self, policy: str) -> Iterator[dict[str, Any]]:
        nothing = Estimate(float("nan"), float("nan"), float("nan"), 0)
        differences = {} if policy == self.reference else self.differences(policy)
        for measure, of in self.means(policy).items():
            less = differences.get(measure, nothing)
            yield {
                "policy": policy, "measure": measure, "mean": of.mean, "low": of.low, "high": of.high,
                "difference": less.mean, "difference_low": less.low, "difference_high": less.high,
            }  # fmt: skip

    def __repr__(self) -> str:
        return f"Comparison({', '.join(self.summaries)}; {len(self.seeds)} seeds, {self.frames} frames)"

    def __str__(self) -> str:
        head, *rows = self._cells()
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = ["  ".join((row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:]))) for row in (head, *rows)]
        return "\n".join((*lines, self._caption()))

    def _repr_html_(self) -> str:
        """What a notebook shows: the same table."""
        head, *rows = self._cells()
        heading = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        return f"<table><caption>{html.escape(self._caption())}</caption><tr>{heading}</tr>{body}</table>"

    def _cells(self) -> list[list[str]]:
        rows = {policy: self.means(policy) for policy in self.summaries}
        others = [policy for policy in self.summaries if policy != self.reference]
        rows |= {f"{policy} - {self.reference}": self.differences(policy) for policy in others}
        head = ["policy", *(heading.replace("\n", " ") for heading in SHOWN.values())]
        return [head, *([name, *(with_margin(of[measure]) for measure in SHOWN)] for name, of in rows.items())]

    def _caption(self) -> str:
        first = first_settled_frame(self.frames, self.warmup)
        return (
            f"{self.scenario.devices} devices, {len(self.seeds)} seeds, frames {first:,} to {self.frames:,}; means "
            "± half of the 95 % interval (Student's t), differences paired"
        )


def compare(
    policies: Mapping[str, Policy | Learner],
    scenario: Scenario,
    frames: int = 10_000,
    seeds: int | Sequence[int] = 5,
    *,
    channel: ChannelProcess | None = None,
    arrivals: ArrivalProcess | None = None,
    warmup: float = 0.5,
    progress: Callable[[str, int], None] | None = None,
) -> Comparison:
    """Run policies in the same worlds, one world a seed, and compare their means.

    Args:
        policies: by name; the others are compared with the first. A learner starts afresh with every seed.
        scenario: the cell.
        frames: number of frames of each run, at least 1.
        seeds: how many, from 0 on, or which; at least 2, all different.
        channel: where channel gains come from; Rician fading by default.
        arrivals: where arrivals come from; exponential by default.
        warmup: share of the frames at the start to leave out, from 0 to below 1.
        progress: called now and then with a policy's name and the number of its frames done, of all seeds.

    Returns:
        The comparison; each of its runs is that of `simulate` with the same seed.

    Raises:
        ValueError: a bad argument; the message names it, its value and what is allowed. Of a decision that is not
            allowed, it names the policy and the frame.
        OverflowError: a measure is not finite.

    Example:
        >>> policies = {"exact": quedge.Exact(), "local": quedge.AllLocal()}
        >>> compared = quedge.compare(policies, quedge.Scenario(devices=3), frames=50, seeds=3)
        >>> print(compared.differences("local")["data_queue_mbit"].low > 0.0)  # longer queues, and no chance
        True
    """
    if not isinstance(scenario, Scenario):
        raise not_allowed("scenario", scenario, "a Scenario")
    if not isinstance(policies, Mapping) or not policies:
        raise not_allowed("policies", policies, "a mapping from names to policies, at least one")
    for policy in policies.values():
        check_policy(policy)
        check_carries(policy, scenario)
    first_settled_frame(frames, warmup)
    summaries: dict[str, dict[int, Summary]] = {name: {} for name in policies}
    for place, seed in enumerate(checked_seeds(seeds)):
        world = WorldInParts(scenario, frames, seed, channel, arrivals)
        for name, policy in policies.items():
            report = None if progress is None else functools.partial(progress, name)
            try:
                summaries[name][seed] = _measured(policy, world, warmup, counted_from(place * frames, report))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
    return Comparison(scenario, frames, warmup, summaries)


def _measured(
    policy: Policy | Learner, world: WorldInParts, warmup: float, report: Callable[[int], None] | None
) -> Summary:
    measuring = Measuring(world.scenario, world.frames, warmup)
    for part in run_in_parts(policy, world, report):
        measuring.add(part)
    return measuring.summary()


def checked_seeds(seeds: int | Sequence[int]) -> list[int]:
    """Seeds that are a number of them, from 0 on, or themselves; refused unless at least two, all different."""
    given = list(range(seeds)) if is_integer(seeds) else seeds
    if not isinstance(given, Sequence) or len(given) < 2 or len(set(given)) < len(given):
        raise not_allowed("seeds", seeds, "a number of seeds or a list of them, at least 2, all different")
    for seed in given:
        check_integer("seeds", seed, 0)
    return list(given)
