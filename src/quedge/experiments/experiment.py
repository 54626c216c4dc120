"""An experiment as data: what it varies, which policies run, how long, what is measured and how it is shown."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from quedge.allocation.allocator import Allocator
from quedge.experiments.job import Job, Probe, Together, Trainer
from quedge.experiments.presentation import Presentation
from quedge.experiments.probes.simulation import Simulation
from quedge.experiments.results import Sentence
from quedge.model.scenario import Scenario
from quedge.policy.registry import Scheme
from quedge.simulation.processes import ArrivalProcess, ChannelProcess, ExponentialArrivals, RicianFading

Variant = Mapping[str, Any]
"""Keys of a scenario, with the values that they have in this part of an experiment."""


class Size(NamedTuple):
    """How much of an experiment runs.

    Attributes:
        frames: number of frames; parts of an experiment may say fewer.
        seeds: number of seeds, 0, 1, 2 ...; parts of an experiment may say fewer.
    """

    frames: int = 10_000
    seeds: int = 5


FULL = Size()
QUICK = Size(frames=2_000, seeds=1)


class NamedAllocator(NamedTuple):
    """An allocator with its name, where it is not a policy that is looked at.

    Attributes:
        name: what it is called.
        policy: the allocator.
    """

    name: str
    policy: Allocator


class NamedTrainer(NamedTuple):
    """A training with its name, where a policy is trained before the run that is looked at.

    Attributes:
        name: what the policy is called.
        policy: the training.
    """

    name: str
    policy: Trainer


@dataclass(frozen=True)
class Grid:
    """Variants of a scenario, each run under each of some policies.

    Attributes:
        schemes: the policies.
        variants: what each variant changes in the scenario.
        base: the scenario.
        frames: number of frames where it is fewer than the size's.
        seeds: number of seeds where it is fewer than the size's.
        channel: where channel gains come from.
        arrivals: where arrivals come from.
        together: whether each cell measures all of the policies, allocators, in turn; for times.
    """

    schemes: Sequence[Scheme | NamedAllocator | NamedTrainer]
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
    """What is to be found out, and how it is shown.

    Attributes:
        name: what commands and files call it.
        title: its heading.
        caption: what is seen, in a sentence or two.
        grids: what runs.
        shown: the figure and the tables.
        probe: what is found out about each cell.
        remarks: what a reader must know beside the numbers, such as where the paper contradicts itself.
        chapter: heading under which a report lists it.
        result: what was found, a sentence from the numbers of the cells, such as
            `lambda found: f"power is {found.mean('power_w', 'exact'):.3f} W"`.
        full: how much of it has to run to be more than a quick look; None where that is for the user to say.
    """

    name: str
    title: str
    caption: str
    grids: Sequence[Grid]
    shown: Presentation
    probe: Probe = Simulation()
    remarks: Sequence[str] = ()
    chapter: str = "The paper"
    result: Sentence | None = None
    full: Size | None = FULL


class Point(NamedTuple):
    """A cell's place in its experiment."""

    variant: Variant
    scheme: str
    seed: int
    job: Job


def points_of(experiment: Experiment, size: Size) -> Iterator[Point]:
    """All cells of an experiment, seed by seed, so that every part is there early."""
    seeds = max(grid.sized(size).seeds for grid in experiment.grids)
    for seed, grid in itertools.product(range(seeds), experiment.grids):
        frames, most_seeds = grid.sized(size)
        if seed >= most_seeds:
            continue
        for variant, scheme in itertools.product(grid.variants, grid.schemes):
            scenario = dataclasses.replace(grid.base, **variant)
            kept = {key: getattr(scenario, key) for key in variant}
            policy = _together(grid.schemes) if grid.together else scheme.policy
            job = Job(scenario, policy, seed, frames, experiment.probe, grid.channel, grid.arrivals)
            yield Point(kept, scheme.name, seed, job)


def _together(schemes: Sequence[Scheme | NamedAllocator | NamedTrainer]) -> Together:
    return Together(tuple((scheme.name, scheme.policy) for scheme in schemes if isinstance(scheme, NamedAllocator)))


def vary(**values: Iterable[Any]) -> list[Variant]:
    """All combinations of the values of some keys."""
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]
