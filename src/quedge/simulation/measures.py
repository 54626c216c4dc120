"""What is measured of a run: one record of means and percentiles."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quedge.model.cell import cell_of
from quedge.policy.exact import exact_objectives
from quedge.simulation.delay import delay_percentile
from quedge.simulation.trace import Trace

_YARDSTICK_TOLERANCE = 1e-4  # relative; how close the yardstick of `objective_ratio` is to the true optimum


@dataclass(frozen=True)
class Summary:
    """Means over the devices and over the frames after the warm-up, unless said.

    Attributes:
        devices: number of devices.
        frames: number of frames, warm-up included.
        seed: seed of the random streams.
        data_queue_mbit: data queue at the start of a frame (Mbit).
        data_queue_p95_mbit: its 95th percentile over devices and frames (Mbit).
        energy_queue: virtual energy queue at the start of a frame.
        weighted_rate_mbps: Σ c r (Mbit/s).
        arrivals_weighted_mbps: Σ c A / T (Mbit/s); the rate of any policy that keeps its queues stable.
        power_w: power a device (W).
        power_max_device_w: the largest mean power of a device (W).
        offload_ratio: share of devices that offload.
        delay_frames: mean queue over mean arrivals a frame (Little's law); 0 where nothing arrives.
        delay_p95_frames: 95th percentile of the delay of what arrived after the warm-up; see `delay_percentile`.
        objective_ratio: objective (17) over its optimum in the same frame state.
        decision_us_p50: median time of a decision (µs).
        decision_us_p99: 99th percentile of the time of a decision (µs).
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
    delay_p95_frames: float
    objective_ratio: float
    decision_us_p50: float
    decision_us_p99: float
    wall_s: float


def first_settled_frame(frames: int, warmup: float) -> int:
    """The first frame after the warm-up; at least the last frame is measured.

    Raises:
        ValueError: `warmup` is not from 0 to below 1.
    """
    if not 0.0 <= warmup < 1.0:
        raise ValueError(f"warmup: {warmup!r} is not allowed; it must be at least 0 and below 1")
    return min(int(warmup * frames), frames - 1)


def summarise(trace: Trace, warmup: float = 0.5, ratios: NDArray[np.float64] | None = None) -> Summary:
    """Measure a run.

    Args:
        trace: the run.
        warmup: share of the frames to leave out at the start, from 0 to below 1.
        ratios: `objective_ratios` of all frames of the run, where they are known already.

    Returns:
        What was measured; every value is finite.

    Raises:
        ValueError: `warmup` is out of its range.
        OverflowError: the scenario's values are so large that a measure is infinite or undefined.
    """
    settled = slice(first_settled_frame(trace.frames, warmup), None)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below, by its name
        summary = _measured(trace, settled, ratios)
    for name, value in dataclasses.asdict(summary).items():
        if not math.isfinite(value):
            raise OverflowError(f"{name}: is not finite; the scenario has values too large to compute with")
    return summary


def _measured(trace: Trace, settled: slice, ratios: NDArray[np.float64] | None) -> Summary:
    frames, devices = trace.rate_mbps.shape
    weight = trace.scenario.per_device("weight")
    queue = trace.data_queue_mbit[settled]
    arrival = trace.arrival_mbit[settled]
    p50, p99 = np.percentile(trace.decision_us[settled], (50.0, 99.0))
    return Summary(
        devices=devices,
        frames=frames,
        seed=trace.seed,
        data_queue_mbit=float(queue.mean()),
        data_queue_p95_mbit=float(np.percentile(queue, 95.0)),
        energy_queue=float(trace.energy_queue[settled].mean()),
        weighted_rate_mbps=float((trace.rate_mbps[settled] @ weight).mean()),
        arrivals_weighted_mbps=float((arrival @ weight).mean() / trace.scenario.frame_s),
        power_w=float(trace.power_w[settled].mean()),
        power_max_device_w=float(trace.power_w[settled].mean(axis=0).max()),
        offload_ratio=float(trace.offload[settled].mean()),
        delay_frames=_delay_frames(queue, arrival),
        delay_p95_frames=delay_percentile(trace, 95.0, settled.start),
        objective_ratio=float((objective_ratios(trace, settled) if ratios is None else ratios[settled]).mean()),
        decision_us_p50=float(p50),
        decision_us_p99=float(p99),
        wall_s=trace.wall_s,
    )


def _delay_frames(queue: NDArray[np.float64], arrival: NDArray[np.float64]) -> float:
    """Little's law over all devices; without arrivals there is no delay to speak of, and it is given as 0."""
    queued, arrived = float(queue.sum()), float(arrival.sum())
    return queued / arrived if arrived > 0.0 else 0.0


def objective_ratios(trace: Trace, frames: slice = slice(None)) -> NDArray[np.float64]:
    """What each frame reached over what it could have reached from the same state, objective (17).

    Args:
        trace: the run.
        frames: the frames to measure; all by default.

    Returns:
        Ratios, one a frame.
    """
    reached = trace.objective[frames]
    optimum = exact_objectives(
        cell_of(trace.scenario),
        trace.channel_gain[frames],
        trace.data_queue_mbit[frames],
        trace.energy_queue[frames],
        _YARDSTICK_TOLERANCE,
    )
    # With empty queues and nothing to win the optimum is 0: whoever reaches it is as good as can be.
    nothing_to_win = optimum <= 0.0
    return np.divide(reached, optimum, out=np.where(reached >= 0.0, 1.0, 0.0), where=~nothing_to_win)
