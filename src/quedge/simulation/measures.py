"""Measures of a run: means and percentiles, as a whole and over time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.errors import not_allowed
from quedge.model.cell import cell_of
from quedge.model.conditions import Conditions, frame_cells
from quedge.model.scenario import Scenario
from quedge.policy.exact.exact import exact_objectives, exact_objectives_in
from quedge.policy.subchannels import group_bounds, group_bounds_in
from quedge.simulation.delays import Delays, delay_distribution, percentile_of
from quedge.simulation.network import cell_parts
from quedge.simulation.quantiles import Quantiles
from quedge.simulation.trace import Trace

_OPTIMUM_TOLERANCE = 1e-4  # relative, of the optimum in `objective_ratio`
_ROUNDING = 1e-9  # relative; a rate may be this much below the promised one


class Outline(NamedTuple):
    """What figures show of a run, whose trace need not be kept for it.

    Attributes:
        scenario: what was run.
        over_time: measures frame by frame, as `over_time` gives them.
        delay_distribution: share of the bits whose delay is at most 0, 1, 2 ... frames, after the warm-up.
    """

    scenario: Scenario
    over_time: Mapping[str, NDArray[np.float64]]
    delay_distribution: NDArray[np.float64]


def outline_of(trace: Trace, warmup: float = 0.5) -> Outline:
    """The outline of a run in memory."""
    distribution = delay_distribution(trace, first_settled_frame(trace.frames, warmup))
    return Outline(trace.scenario, over_time(trace), distribution)


def over_time(trace: Trace) -> dict[str, NDArray[np.float64]]:
    """Measures frame by frame, each of shape (frames,): means over the devices, except for reward and rate."""
    return {
        "data_queue_mbit": trace.data_queue_mbit.mean(axis=1),
        "energy_queue": trace.energy_queue.mean(axis=1),
        "power_w": trace.power_w.mean(axis=1),
        "reward": trace.objective,
        "weighted_rate_mbps": trace.rate_mbps @ trace.scenario.per_device("weight"),
        "offload_ratio": trace.offload.mean(axis=1),
    }


@dataclass(frozen=True)
class Summary:
    """Means over the devices and over the frames after the warm-up, unless stated otherwise.

    Attributes:
        devices: number of devices.
        frames: number of frames, warm-up included.
        seed: seed of the random streams.
        data_queue_mbit: data queue at the start of a frame (Mbit).
        data_queue_p95_mbit: its 95th percentile over devices and frames (Mbit).
        energy_queue: virtual energy queue at the start of a frame.
        weighted_rate_mbps: weighted rate Σ c r (Mbit/s).
        arrivals_weighted_mbps: weighted arrivals Σ c A / T (Mbit/s); the weighted rate of every stable policy.
        power_w: power per device (W).
        power_max_device_w: the largest mean power of a device (W).
        offload_ratio: share of devices that offload.
        delay_frames: mean queue over mean arrivals per frame (Little's law); 0 without arrivals.
        delay_p50_frames: median of the delay of bits that arrived after the warm-up; see `delay_percentile`.
        delay_p95_frames: its 95th percentile.
        delay_p99_frames: its 99th percentile.
        deadline_violation_ratio: share of these bits that waited longer than `deadline_s`; 0 without a deadline.
        objective_ratio: objective (17) over its optimum in the frame as the policy saw it, both with the channel
            estimates and perfect cancellation; with sub-channels or groups, over an upper bound on that optimum.
        delivered_ratio: objective that was reached over that optimum; the same ratio in an ideal world.
        outage_ratio: share of the offloading devices' frames in which the true channel carried less than the
            promised rate.
        server_queue_mbit: data of a device that waits at the edge server at the start of a frame (Mbit); None where
            the server takes no time.
        end_to_end_delay_frames: mean of both queues over mean arrivals per frame; None where the server takes no time.
        battery_j: energy in a battery at the start of a frame (J); None without batteries.
        decisions_timed: number of decisions that were timed: all, or a sample where compiled code runs the frames.
        decision_us_p50: median time of a decision (µs); None where none was timed.
        decision_us_p99: 99th percentile of the time of a decision (µs); None where none was timed.
        wall_s: wall time of the whole run (s).
    """

    devices: int
    frames: int
    seed: int
    data_queue_mbit: float
    data_queue_p95_mbit: float
    energy_queue: float
    weighted_rate_mbps: float
    arrivals_weighted_mbps: float
    power_w: float
    power_max_device_w: float
    offload_ratio: float
    delay_frames: float
    delay_p50_frames: float
    delay_p95_frames: float
    delay_p99_frames: float
    deadline_violation_ratio: float
    objective_ratio: float
    delivered_ratio: float
    outage_ratio: float
    server_queue_mbit: float | None
    end_to_end_delay_frames: float | None
    battery_j: float | None
    decisions_timed: int
    decision_us_p50: float | None
    decision_us_p99: float | None
    wall_s: float


def first_settled_frame(frames: int, warmup: float) -> int:
    """The first frame after the warm-up, at most the last frame.

    Raises:
        ValueError: `warmup` is not from 0 to below 1.
    """
    if not 0.0 <= warmup < 1.0:
        raise not_allowed("warmup", warmup, "at least 0 and below 1")
    return min(int(warmup * frames), frames - 1)


def summarise(trace: Trace, warmup: float = 0.5, optimum: NDArray[np.float64] | None = None) -> Summary:
    """Measure a run.

    Args:
        trace: the run.
        warmup: share of the frames at the start to leave out, from 0 to below 1.
        optimum: `frame_optima` of the run, if they are known.

    Returns:
        The measures; every value is finite.

    Raises:
        ValueError: `warmup` is out of its range.
        OverflowError: the scenario's values are so large that a measure is infinite or undefined.
    """
    measuring = Measuring(trace.scenario, trace.frames, warmup)
    measuring.add(trace, optimum)
    return measuring.summary()


class Measuring:
    """Measures a run as its parts come; of one part, as `summarise`.

    Beyond four million queues, devices times frames, their percentile is within 0.1 % of its value; all else is exact.
    """

    def __init__(self, scenario: Scenario, frames: int, warmup: float = 0.5, outlined: bool = False) -> None:
        """Nothing is measured yet of so many frames in all; `outlined` where the outline is asked for, too.

        Raises:
            ValueError: `warmup` is out of its range.
        """
        self._scenario, self._frames = scenario, frames
        self._settled_from, self._done, self._wall_s, self._seed = first_settled_frame(frames, warmup), 0, 0.0, 0
        self._sums: dict[str, float] = {}
        self._power_w = np.zeros(scenario.devices)
        self._queues, self._times = Quantiles(), Quantiles()
        self._decisions_timed = 0
        self._delays = Delays(scenario, self._settled_from)
        self._over_time: list[dict[str, NDArray[np.float64]]] | None = [] if outlined else None

    def add(self, part: Trace, optimum: NDArray[np.float64] | None = None) -> None:
        """Measure the next frames; `optimum` is their `frame_optima`, if they are known."""
        settled = slice(max(self._settled_from - self._done, 0), None)
        self._done, self._wall_s, self._seed = self._done + part.frames, self._wall_s + part.wall_s, part.seed
        with np.errstate(over="ignore", invalid="ignore"):  # overflow is refused in the summary, by its name
            self._delays.add(part.arrival_mbit, part.rate_mbps, part.dropped_mbit)
            if self._over_time is not None:
                self._over_time.append(over_time(part))
            if settled.start < part.frames:
                best = frame_optima(part, settled) if optimum is None else optimum[settled]
                self._add_settled(part, settled, best)

    def _add_settled(self, part: Trace, settled: slice, optimum: NDArray[np.float64]) -> None:
        weight = self._scenario.per_device("weight")
        queue, offload, rate = part.data_queue_mbit[settled], part.offload[settled], part.rate_mbps[settled]
        arrival = part.arrival_mbit[settled]
        times = part.timed_decisions_us(settled.start)
        self._queues.add(queue)
        self._times.add(times)
        self._decisions_timed += times.size
        self._power_w += part.power_w[settled].sum(axis=0)
        short = offload & (rate < part.promised_rate_mbps[settled] * (1.0 - _ROUNDING))
        for name, total in {
            "queue": queue.sum(),
            "arrival": arrival.sum(),
            "energy_queue": part.energy_queue[settled].sum(),
            "power": part.power_w[settled].sum(),
            "weighted_rate": (rate @ weight).sum(),
            "weighted_arrival": (arrival @ weight).sum(),
            "offload": offload.sum(),
            "short": short.sum(),
            "server_queue": part.server_queue_mbit[settled].sum(),
            "battery": part.battery_j[settled].sum(),
            "promised_ratio": _ratios(part.promised_objective[settled], optimum).sum(),
            "reached_ratio": _ratios(part.objective[settled], optimum).sum(),
        }.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(total)

    def summary(self) -> Summary:
        """The measures of all frames, which must have come.

        Raises:
            OverflowError: the scenario's values are so large that a measure is infinite or undefined.
        """
        total, devices = self._sums, self._scenario.devices
        frames = self._frames - self._settled_from
        numbers = frames * devices
        distribution = self._delays.distribution()
        has_server = self._scenario.server_frequency_hz is not None
        waiting = total["queue"] + total["server_queue"]
        end_to_end = waiting / total["arrival"] if total["arrival"] > 0.0 else 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            summary = Summary(
                devices=devices,
                frames=self._frames,
                seed=self._seed,
                data_queue_mbit=total["queue"] / numbers,
                data_queue_p95_mbit=self._queues.percentile(95.0),
                energy_queue=total["energy_queue"] / numbers,
                weighted_rate_mbps=total["weighted_rate"] / frames,
                arrivals_weighted_mbps=total["weighted_arrival"] / frames / self._scenario.frame_s,
                power_w=total["power"] / numbers,
                power_max_device_w=float(self._power_w.max()) / frames,
                offload_ratio=total["offload"] / numbers,
                delay_frames=total["queue"] / total["arrival"] if total["arrival"] > 0.0 else 0.0,
                delay_p50_frames=percentile_of(distribution, 50.0),
                delay_p95_frames=percentile_of(distribution, 95.0),
                delay_p99_frames=percentile_of(distribution, 99.0),
                deadline_violation_ratio=self._delays.late_share(),
                objective_ratio=total["promised_ratio"] / frames,
                delivered_ratio=total["reached_ratio"] / frames,
                outage_ratio=total["short"] / max(total["offload"], 1.0),
                server_queue_mbit=total["server_queue"] / numbers if has_server else None,
                end_to_end_delay_frames=end_to_end if has_server else None,
                battery_j=total["battery"] / numbers if self._scenario.battery_j is not None else None,
                decisions_timed=self._decisions_timed,
                decision_us_p50=self._times.percentile(50.0) if self._decisions_timed else None,
                decision_us_p99=self._times.percentile(99.0) if self._decisions_timed else None,
                wall_s=self._wall_s,
            )
        for name, value in dataclasses.asdict(summary).items():
            if value is not None and not math.isfinite(value):
                raise OverflowError(f"{name}: is not finite; the scenario has values too large to compute with")
        return summary

    def outline(self) -> Outline | None:
        """What figures show of all frames, at least one part of which must have come; None where not asked for."""
        if self._over_time is None:
            return None
        course = {name: np.concatenate([part[name] for part in self._over_time]) for name in self._over_time[0]}
        return Outline(self._scenario, course, self._delays.distribution())


def queue_and_power(trace: Trace, first_frame: int) -> dict[str, float]:
    """Mean data queue, 95th percentile of the delay, late bits, and power from a frame on, as `Summary` names them."""
    power_w = trace.power_w[first_frame:]
    delays = Delays(trace.scenario, first_frame)
    delays.add(trace.arrival_mbit, trace.rate_mbps, trace.dropped_mbit)
    return {
        "data_queue_mbit": float(trace.data_queue_mbit[first_frame:].mean()),
        "delay_p95_frames": percentile_of(delays.distribution(), 95.0),
        "deadline_violation_ratio": delays.late_share(),
        "power_w": float(power_w.mean()),
        "power_max_device_w": float(power_w.mean(axis=0).max()),
    }


def frame_optima(trace: Trace, frames: slice = slice(None)) -> NDArray[np.float64]:
    """The optimum of objective (17) in each frame as the policy saw it; all frames by default.

    Where offloaders are told apart in groups, an upper bound on it, the policy's own if it has one.
    """
    if trace.scenario.cells > 1:
        return np.asarray(np.sum([frame_optima(cell, frames) for cell in cell_parts(trace)], axis=0))
    cell, known = cell_of(trace.scenario), trace.upper_bound[frames]
    if cell.is_grouped and not np.isnan(known).any():
        return known
    states = trace.channel_estimate[frames], trace.data_queue_mbit[frames], trace.energy_queue[frames]
    if not trace.conditions.vary:
        return group_bounds(cell, *states) if cell.is_grouped else exact_objectives(cell, *states, _OPTIMUM_TOLERANCE)
    conditions = Conditions(*(values[frames] for values in trace.conditions))
    cells = frame_cells(trace.scenario, conditions, states[0].reshape(len(states[0]), -1), states[1])
    if cell.is_grouped:
        return group_bounds_in(cells, states)
    return exact_objectives_in(cells, states, _OPTIMUM_TOLERANCE)


def objective_ratios(trace: Trace, optimum: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Each frame's promised objective (17) over its optimum in the state that the policy saw, shape (frames,).

    `optimum` is `frame_optima` of the run, where they are known.
    """
    return _ratios(trace.promised_objective, frame_optima(trace) if optimum is None else optimum)


def _ratios(objective: NDArray[np.float64], optimum: NDArray[np.float64]) -> NDArray[np.float64]:
    # With empty queues the optimum may be 0: a decision that reaches it counts as optimal.
    return np.divide(objective, optimum, out=np.where(objective >= 0.0, 1.0, 0.0), where=optimum > 0.0)
