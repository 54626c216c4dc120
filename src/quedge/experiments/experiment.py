"""An experiment as data: what it varies, which policies run, how long, what is measured and how it is shown."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from quedge.allocation.allocator import Allocator
from quedge.experiments.job import AccessBound, AllocatorGroup, Job, PolicyTrainer, Probe
from quedge.experiments.presentation import Figure, Table
from quedge.experiments.probes.simulation import Simulation
from quedge.experiments.results import Sentence
from quedge.model.scenario import Scenario
from quedge.policy.registry import Scheme
from quedge.simulation.processes import ArrivalProcess, ChannelProcess, ExponentialArrivals, RicianFading

Variant = Mapping[str, Any]
"""Keys of a scenario, with the values that they have in this part of an experiment."""


class Size(NamedTuple):
    """How much of an experiment runs: frames, and seeds 0, 1, 2 ...; grids may have fewer of both."""

    frames: int = 10_000
    seeds: int = 5


FULL = Size()
QUICK = Size(frames=2_000, seeds=1)


class Contender(NamedTuple):
    """What a grid compares that is no policy of `policy.registry`: an allocator, a training, or all policies at once.

    Attributes:
        name: what it is called.
        policy: the allocator, the settings of the training, or how all policies share the uplink.
    """

    name: str
    policy: Allocator | PolicyTrainer | AccessBound


@dataclass(frozen=True)
class Grid:
    """Variants of a scenario, each run under each of some policies.

    Attributes:
        schemes: the policies.
        variants: what each variant changes in the scenario.
        base: the scenario.
        frames: most frames of a run; the experiment's size may have fewer.
        seeds: most seeds; the experiment's size may have fewer.
        channel: where channel gains come from.
        arrivals: where arrivals come from.
        together: whether one job measures all of the policies, which are allocators, in turn; for times.
    """

    schemes: Sequence[Scheme | Contender]
    variants: Sequence[Variant] = ({},)
    base: Scenario = Scenario()
    frames: int | None = None
    seeds: int | None = None
    channel: ChannelProcess = RicianFading()
    arrivals: ArrivalProcess = ExponentialArrivals()
    together: bool = False

    def sized(self, size: Size) -> Size:
        """How much of it runs at most."""
        return Size(
            size.frames if self.frames is None else min(self.frames, size.frames),
            size.seeds if self.seeds is None else min(self.seeds, size.seeds),
        )


@dataclass(frozen=True)
class Experiment:
    """What is measured, and how it is shown.

    Attributes:
        name: what commands and files call it.
        title: its heading.
        caption: what is seen, in a sentence or two.
        grids: what runs.
        figure: what is drawn, if anything.
        table: what is tabulated, if anything.
        probe: what is measured in each run.
        remarks: what a reader must know beside the numbers, such as where the paper contradicts itself.
        chapter: heading under which a report lists it.
        result: a sentence from the numbers that were found, such as
            `lambda found: f"power is {found.mean('power_w', 'exact'):.3f} W"`.
        full: the size below which a run is called shortened; None where any size is complete.
    """

    name: str
    title: str
    caption: str
    grids: Sequence[Grid]
    figure: Figure | None = None
    table: Table | None = None
    probe: Probe = Simulation()
    remarks: Sequence[str] = ()
    chapter: str = "The paper"
    result: Sentence | None = None
    full: Size | None = FULL


class Point(NamedTuple):
    """A job's place in its experiment."""

    variant: Variant
    scheme: str
    seed: int
    job: Job


def points_of(experiment: Experiment, size: Size) -> Iterator[Point]:
    """All jobs of an experiment, seed by seed, so that every part is there early."""
    seeds = max(grid.sized(size).seeds for grid in experiment.grids)
    for seed, grid in itertools.product(range(seeds), experiment.grids):
        frames, most_seeds = grid.sized(size)
        if seed >= most_seeds:
            continue
        group = AllocatorGroup(tuple((each.name, cast(Allocator, each.policy)) for each in grid.schemes))
        for variant, scheme in itertools.product(grid.variants, grid.schemes):
            scenario = dataclasses.replace(grid.base, **variant)
            kept = {key: getattr(scenario, key) for key in variant}
            policy = group if grid.together else scheme.policy
            job = Job(scenario, policy, seed, frames, experiment.probe, grid.channel, grid.arrivals)
            yield Point(kept, scheme.name, seed, job)


def vary(**values: Iterable[Any]) -> list[Variant]:
    """All combinations of the values of some keys."""
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]
