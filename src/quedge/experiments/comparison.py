"""Several policies in one and the same world."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from quedge.model.scenario import Scenario
from quedge.policy.policy import Learner, Policy
from quedge.simulation.measures import Summary, first_settled_frame, summarise
from quedge.simulation.processes import ArrivalProcess, ChannelProcess
from quedge.simulation.simulate import run_in_world
from quedge.simulation.trace import Trace
from quedge.simulation.world import draw_world


class Outcome(NamedTuple):
    """How one policy fared.

    Attributes:
        name: the policy's name.
        trace: its whole run.
        summary: what was measured of it.
    """

    name: str
    trace: Trace
    summary: Summary


def compare(
    scenario: Scenario,
    policies: Mapping[str, Policy | Learner],
    frames: int = 10_000,
    seed: int = 0,
    *,
    channel: ChannelProcess | None = None,
    arrivals: ArrivalProcess | None = None,
    warmup: float = 0.5,
    progress: Callable[[str, int], None] | None = None,
) -> Iterator[Outcome]:
    """Run policies one after the other; all meet the same channel gains and arrivals.

    The world is drawn, and bad arguments are refused, before this returns; a policy runs when its outcome is
    asked for.

    Args:
        scenario: the cell.
        policies: the policies by name, in the order in which they run.
        frames: number of frames, at least 1.
        seed: seed of the random streams, at least 0.
        channel: where channel gains come from; Rician fading by default.
        arrivals: where arrivals come from; exponential by default.
        warmup: share of the frames that the summaries leave out at the start, from 0 to below 1.
        progress: called now and then with the running policy's name and the number of its frames done.

    Returns:
        One outcome a policy, in order.

    Raises:
        ValueError: a bad argument; the message names it, its value and what is allowed. The iterator raises one
            where a policy's decision is not allowed; it names the policy.
    """
    first_settled_frame(frames, warmup)  # refuses a bad share before any policy has run
    world = draw_world(scenario, frames, seed, channel, arrivals)

    def outcomes() -> Iterator[Outcome]:
        for name, policy in policies.items():
            report = None if progress is None else _named(progress, name)
            try:
                trace = run_in_world(scenario, policy, world, seed, report)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
            yield Outcome(name, trace, summarise(trace, warmup))

    return outcomes()


def _named(progress: Callable[[str, int], None], name: str) -> Callable[[int], None]:
    return lambda done: progress(name, done)
