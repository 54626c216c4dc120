"""Several cells on one band: each decides alone, and what its offloaders radiate is interference in the others.

The edge servers stand on a hexagonal grid, the devices around their own at their distances, in directions that are
drawn once a run. With h_i→m the gain from device i to the server of another cell m, path gain times Rayleigh fading,
the server's interference is

    I_m(t) = Σ_{i not of m} p_i(t) h_i→m(t),

which nobody can take off: it is noise. A signal is as good over N0 + I_m as one of gain h N0 / (N0 + I_m) is over N0,
so that interference is a change of gains: a trace has these effective ones. When a cell decides, the others have not:
it takes the interference for that of the last frame, or for the worst, every device of another cell at its highest
power and mean gain. Where it is mistaken, rates differ from what was promised, as with an estimate of a channel.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quedge.model.cell import cell_of, path_gain
from quedge.model.conditions import first_conditions
from quedge.model.frame import Allocation, Status
from quedge.model.scenario import Scenario
from quedge.policy.policy import Learner, Policy, agent_for, knows_disturbance
from quedge.simulation.course import Course
from quedge.simulation.trace import RunState, Trace
from quedge.simulation.world import World, neighbour_stream, policy_streams

Floats = NDArray[np.float64]


def server_positions(cells: int, distance_m: float) -> Floats:
    """The points of a hexagonal grid that are nearest to its first one (m), shape (cells, 2); ties counterclockwise."""
    reach = math.isqrt(cells) + 1
    steps = range(-reach, reach + 1)
    points = [(a + 0.5 * b, b * math.sqrt(0.75)) for a in steps for b in steps]
    points.sort(key=lambda point: (round(math.hypot(*point), 6), math.atan2(point[1], point[0]) % math.tau))
    return distance_m * np.array(points[:cells])


def gains_to_others(scenario: Scenario, rng: np.random.Generator) -> Floats:
    """Mean gains from each device to each edge server (W/W), shape (devices, cells); 0 to its own.

    A device that stands on another server is taken to be as near to it as devices may be to their own, 1 mm.
    """
    servers = server_positions(scenario.cells, scenario.cell_distance_m)
    own = np.repeat(np.arange(scenario.cells), scenario.devices // scenario.cells)
    direction = math.tau * rng.random(scenario.devices)
    away = scenario.per_device("distance_m")[:, np.newaxis] * np.stack((np.cos(direction), np.sin(direction)), axis=1)
    place = servers[own] + away
    distance = np.linalg.norm(place[:, np.newaxis] - servers, axis=2)
    gain = path_gain(scenario, np.maximum(distance, 1e-3))
    gain[np.arange(scenario.devices), own] = 0.0
    return gain


def run_cells(
    scenario: Scenario,
    policy: Policy | Learner,
    world: World,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> Trace:
    """Run a policy in every cell of a world; arguments and errors as in `run_in_world`.

    Every cell has an agent and a random stream of its own. What a trace has a frame is of all cells: objectives and
    bounds are sums, times of decisions and notes means, and a status is that of the first cell that is not well.
    """
    began = time.perf_counter()
    scenarios = [scenario.cell(m) for m in range(scenario.cells)]
    worlds = [_world_of(world, m, scenario.cells) for m in range(scenario.cells)]
    states = [(np.zeros(own.devices), np.zeros(own.devices), *first_conditions(own)) for own in scenarios]
    streams = policy_streams(seed, scenario.cells)
    agents = [agent_for(policy, own.devices, rng) for own, rng in zip(scenarios, streams, strict=True)]
    known = knows_disturbance(agents[0])
    courses = [Course(*each, 0, known) for each in zip(scenarios, worlds, states, strict=True)]
    rng = neighbour_stream(seed)
    mean_gain, noise_w = gains_to_others(scenario, rng), cell_of(scenario).noise_w
    worst_w = scenario.per_device("max_transmit_power_w") @ mean_gain
    interference_w = np.zeros(scenario.cells)
    frames, report_every = world.channel_gain.shape[0], max(world.channel_gain.shape[0] // 200, 1)
    for t in range(frames):
        assumed_w = worst_w if scenario.assumed_interference == "worst" else interference_w
        decided = []
        for m, course in enumerate(courses):
            worlds[m].estimated_gain[t] *= noise_w / (noise_w + assumed_w[m])
            decided.append(course.decide(agents[m], streams[m])[0])
        radiated_w = np.concatenate([_radiated(each) for each in decided])
        interference_w = radiated_w @ (mean_gain * rng.standard_exponential(mean_gain.shape))
        for m, course in enumerate(courses):
            worlds[m].channel_gain[t] *= noise_w / (noise_w + interference_w[m])
            course.carry_out(decided[m])
        if progress is not None and ((t + 1) % report_every == 0 or t + 1 == frames):
            progress(t + 1)
    return _side_by_side(scenario, seed, worlds, courses, agents, states, time.perf_counter() - began)


def _world_of(world: World, m: int, cells: int) -> World:
    """The world of one cell in arrays of its own, with estimates beside the gains."""
    own = world.channel_gain.shape[1] // cells
    part = slice(m * own, (m + 1) * own)
    harvest = None if world.harvest_j is None else world.harvest_j[:, part].copy()
    leaves = None if world.leaves is None else world.leaves[:, part].copy()
    gains = world.channel_gain[:, part].copy(), world.estimated_gain[:, part].copy()
    return World(gains[0], world.arrival_mbit[:, part].copy(), gains[1], harvest, leaves)


def _radiated(decided: Allocation) -> Floats:
    """Mean radiated powers (W), shape (devices,)."""
    power = np.where(decided.offload, decided.transmit_power_w, 0.0)
    return power * decided.time_share if decided.time_share.size > 0 else power


def _side_by_side(
    scenario: Scenario, seed: int, worlds: Sequence[World], courses: Sequence[Course], agents: Sequence[Policy],
    states: Sequence[tuple[Floats, ...]], wall_s: float,
) -> Trace:  # fmt: skip
    """The trace of all cells."""
    recorded = [
        course.recorded(getattr(agent, "note_names", ())) for course, agent in zip(courses, agents, strict=True)
    ]
    fields: dict[str, Any] = {
        "channel_gain": np.hstack([world.channel_gain for world in worlds]),
        "channel_estimate": np.hstack([world.estimated_gain for world in worlds]),
        "arrival_mbit": np.hstack([world.arrival_mbit for world in worlds]),
        "harvest_j": np.hstack([course.harvest_j for course in courses]),
    }
    for name, first in recorded[0].items():
        values = [each[name] for each in recorded]
        if name == "status":
            fields[name] = tuple(_first_not_well(statuses) for statuses in zip(*values, strict=True))
        elif name == "notes":
            named = dict.fromkeys(note for each in values for note in each)
            nothing = np.full(worlds[0].channel_gain.shape[0], np.nan)
            fields[name] = {note: np.mean([each.get(note, nothing) for each in values], axis=0) for note in named}
        elif first is None:
            fields[name] = None
        elif first.ndim == 2:
            fields[name] = np.hstack(values)
        else:
            fields[name] = np.mean(values, axis=0) if name == "decision_us" else np.sum(values, axis=0)
    data_queue, energy_queue, *_ = (np.concatenate(values) for values in zip(*states, strict=True))
    return Trace(scenario, seed, **fields, wall_s=wall_s, end=RunState(data_queue, energy_queue, {}))


def _first_not_well(statuses: Sequence[Status]) -> Status:
    return next((status for status in statuses if status is not Status.OK), Status.OK)


def cell_parts(trace: Trace) -> list[Trace]:
    """What a trace of several cells has of the devices of each one; numbers of a frame stay those of all."""
    own = trace.scenario.devices // trace.scenario.cells
    parts = []
    for m in range(trace.scenario.cells):
        columns = slice(m * own, (m + 1) * own)
        fields: dict[str, Any] = {
            field.name: value[:, columns] if isinstance(value, np.ndarray) and value.ndim == 2 else value
            for field in dataclasses.fields(trace)
            for value in (getattr(trace, field.name),)
        }
        parts.append(Trace(**fields | {"scenario": trace.scenario.cell(m)}))
    return parts
