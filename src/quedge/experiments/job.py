"""A job of an experiment: one scenario under one policy and seed, and what is measured there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from quedge.allocation.allocator import Allocator
from quedge.model.scenario import Scenario
from quedge.policy.policy import Learner, Policy
from quedge.simulation.processes import ArrivalProcess, ChannelProcess, ExponentialArrivals, RicianFading
from quedge.simulation.run import simulate
from quedge.simulation.trace import Trace


class Series(NamedTuple):
    """A measure at several places of a run, such as frames; both of shape (points,)."""

    at: NDArray[np.float64]
    value: NDArray[np.float64]


Findings = Mapping[str, float | Series]
"""Measures by name: a number, or a series of them."""


class Trained(NamedTuple):
    """The trained policy, which learns no more, the frames of its experience, and the training's processor time (s)."""

    policy: Policy
    frames: int
    cpu_s: float


@runtime_checkable
class PolicyTrainer(Protocol):
    """Settings of a training; a frozen value, as policies are."""

    def train(
        self, scenario: Scenario, frames: int, seed: int, channel: ChannelProcess, arrivals: ArrivalProcess
    ) -> Trained:
        """Train from nothing.

        Args:
            scenario: the cell.
            frames: length of the run that follows; the amount of experience is proportional to it.
            seed: of all that is drawn; the same seed gives the same policy.
            channel: where the channel gains of its worlds come from.
            arrivals: where their arrivals come from.

        Raises:
            MissingExtraError: a library that it needs is not installed.
        """
        ...


class Probe(Protocol):
    """What is measured in a job, and how; a frozen value whose fields are its settings."""

    @property
    def exclusive(self) -> bool:
        """Whether nothing else may run meanwhile, since times are measured."""
        ...

    def measure(self, job: Job) -> Findings:
        """Run the job. The same job gives the same findings, except for times.

        Raises:
            Exception: whatever goes wrong; the engine reports it.
        """
        ...


@dataclass(frozen=True)
class AllocatorGroup:
    """Allocators that one job measures in turn, so that what disturbs the machine affects all of them alike.

    Attributes:
        members: each with its name.
    """

    members: tuple[tuple[str, Allocator], ...]


@dataclass(frozen=True)
class AccessBound:
    """Stands for all policies that share the uplink in one way, where bounds on what any of them reaches are found.

    Attributes:
        access: as in `region.support.ACCESS`.
    """

    access: str


def findings_of_member(name: str, findings: Findings) -> Findings:
    """The findings of one member of an `AllocatorGroup`."""
    return {measure[len(name) + 2 :]: found for measure, found in findings.items() if measure.startswith(f"{name}: ")}


@dataclass(frozen=True, eq=False)
class Job:
    """All that findings depend on, besides the code.

    Attributes:
        scenario: the radio cell and its devices.
        policy: who decides; for some probes an allocator, a group of them, a training, or all policies at once.
        seed: seed of the random streams.
        frames: number of frames.
        probe: what is measured.
        channel: where channel gains come from.
        arrivals: where arrivals come from.
    """

    scenario: Scenario
    policy: Policy | Learner | Allocator | AllocatorGroup | PolicyTrainer | AccessBound
    seed: int
    frames: int
    probe: Probe
    channel: ChannelProcess = RicianFading()
    arrivals: ArrivalProcess = ExponentialArrivals()

    def run(self) -> Findings:
        """The probe's findings."""
        return self.probe.measure(self)

    def simulate(self) -> Trace:
        """The run of a job whose policy is one."""
        policy = cast(Policy | Learner, self.policy)
        return simulate(self.scenario, policy, self.frames, self.seed, channel=self.channel, arrivals=self.arrivals)
