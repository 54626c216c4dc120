"""The record of a run, frame by frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.model.conditions import Conditions
from quedge.model.frame import Status
from quedge.model.scenario import Scenario

if TYPE_CHECKING:
    from quedge.simulation.measures import Summary


class RunState(NamedTuple):
    """State of a run between two frames: what the next frame needs besides the world and the policy.

    Attributes:
        data_queue_mbit: data queues Q (Mbit), shape (devices,).
        energy_queue: virtual energy queues Y, shape (devices,).
        random_state: state of the policy's random stream, as NumPy's bit generator gives it.
        conditions: of batteries and edge server; None where the scenario has neither.
    """

    data_queue_mbit: NDArray[np.float64]
    energy_queue: NDArray[np.float64]
    random_state: Mapping[str, Any]
    conditions: Conditions | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """Everything that happened in a run; arrays of shape (frames, devices) unless stated otherwise.

    Attributes:
        scenario: the scenario that was run.
        seed: the seed of its random streams.
        channel_gain: power gains h (W/W); of shape (frames, devices, sub-channels) where these fade for themselves.
        channel_estimate: power gains as the policy saw them (W/W), of the same shape: estimates, lowered for an outage
            probability.
        arrival_mbit: arrivals during each frame (Mbit).
        data_queue_mbit: data queues Q at the start of each frame (Mbit).
        energy_queue: virtual energy queues Y at the start of each frame.
        battery_j: energy in the batteries at the start of each frame (J), shape (frames, 0) without batteries.
        server_queue_mbit: data that waits at the edge server at the start of each frame (Mbit), shape (frames, 0)
            without a finite server.
        harvest_j: energy that is harvested during each frame (J), shape (frames, 0) without batteries.
        offload: true where a device offloaded.
        transmit_power_w: transmit powers p (W).
        time_share: share of the frame in which a device transmitted: 1 under NOMA, its share under time division, 0
            for a device that computed locally.
        cpu_frequency_hz: CPU frequencies f (Hz).
        rate_mbps: rates r that were reached (Mbit/s).
        promised_rate_mbps: rates of the same powers with true estimates and perfect cancellation (Mbit/s).
        power_w: total powers e (W).
        objective: objective (17) that was reached, shape (frames,).
        promised_objective: objective (17) under the promised rates, shape (frames,).
        upper_bound: the policy's own bound on the promised objective, shape (frames,); NaN without one.
        status: status of each decision.
        notes: the policy's notes on its decisions by name, each of shape (frames,); NaN where there is none.
        decision_us: wall time of each decision (µs), shape (frames,); NaN where it was not measured, since compiled
            code ran several frames in a row, or Python ran what is not compiled yet.
        wall_s: wall time of the whole run (s).
        end: state after the last frame.
        dropped_mbit: data queues that were dropped at the start of each frame, as their devices went (Mbit); None where
            the world has none.
        subchannel: number of the sub-channel on which each device offloaded, from 0, and -1 where it computed locally;
            None where there is one.

    Example:
        >>> run = quedge.simulate(quedge.Scenario(devices=3), quedge.BestSingle(), frames=100, seed=1)
        >>> print(run, run.data_queue_mbit.shape)
        Trace(frames=100, devices=3, seed=1) (100, 3)
        >>> print(run.offload.mean(axis=0), run.offload.any(axis=1).mean())  # of each device; frames with any
        [0.31 0.32 0.35] 0.98
        >>> print(f"{run.summary(warmup=0.5).data_queue_mbit:.2f} Mbit")
        4.01 Mbit
    """

    scenario: Scenario
    seed: int
    channel_gain: NDArray[np.float64]
    channel_estimate: NDArray[np.float64]
    arrival_mbit: NDArray[np.float64]
    data_queue_mbit: NDArray[np.float64]
    energy_queue: NDArray[np.float64]
    battery_j: NDArray[np.float64]
    server_queue_mbit: NDArray[np.float64]
    harvest_j: NDArray[np.float64]
    offload: NDArray[np.bool_]
    transmit_power_w: NDArray[np.float64]
    time_share: NDArray[np.float64]
    cpu_frequency_hz: NDArray[np.float64]
    rate_mbps: NDArray[np.float64]
    promised_rate_mbps: NDArray[np.float64]
    power_w: NDArray[np.float64]
    objective: NDArray[np.float64]
    promised_objective: NDArray[np.float64]
    upper_bound: NDArray[np.float64]
    status: tuple[Status, ...]
    notes: Mapping[str, NDArray[np.float64]]
    decision_us: NDArray[np.float64]
    wall_s: float
    end: RunState
    dropped_mbit: NDArray[np.float64] | None = None
    subchannel: NDArray[np.int64] | None = None

    @property
    def conditions(self) -> Conditions:
        """Batteries and edge server at the start of each frame."""
        return Conditions(self.battery_j, self.server_queue_mbit)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.objective.size)

    def timed_decisions_us(self, first_frame: int = 0) -> NDArray[np.float64]:
        """Wall times of the decisions that were timed, from a frame on (µs)."""
        times = self.decision_us[first_frame:]
        return times[np.isfinite(times)]

    def summary(self, warmup: float = 0.5) -> Summary:
        """Means and percentiles of the run, its share of the optimum among them.

        Args:
            warmup: share of the frames at the start to leave out, from 0 to below 1.

        Raises:
            ValueError: `warmup` is out of its range.
            OverflowError: the scenario's values are so large that a measure is infinite or undefined.
        """
        from quedge.simulation.measures import summarise

        return summarise(self, warmup)

    def to_pandas(self) -> Any:
        """The run as a tidy DataFrame of pandas (extra `pandas`).

        Returns:
            One row per frame and device. Columns are `frame`, `device` and the quantities by their names here, those of
            a frame in each of its rows, the policy's notes as `policy_NAME`; what was promised stands beside only where
            the world is not as the policy assumes. `attrs` has `seed`, `scenario` (its keys but `profiles`) and `units`
            by column.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from quedge.simulation.columns import trace_frame

        return trace_frame(self)

    def to_xarray(self) -> Any:
        """The run as a Dataset of xarray (extra `xarray`).

        Returns:
            The quantities by the names of `to_pandas`, along `frame` and `device`, those of a frame along `frame`; each
            has its unit in its attribute `units`, if it has one. The Dataset's own attributes are `seed` and the
            scenario's keys that are set, but `profiles`, as netCDF can keep them: 1 and 0 for true and false.

        Raises:
            MissingExtraError: xarray is not installed.
        """
        from quedge.simulation.columns import trace_dataset

        return trace_dataset(self)

    def __repr__(self) -> str:
        return f"Trace(frames={self.frames}, devices={self.scenario.devices}, seed={self.seed})"

    def _repr_html_(self) -> str:
        """What a notebook shows: means over the devices and the second half of the frames."""
        from quedge.simulation.measures import over_time

        means = {name: values[self.frames // 2 :].mean() for name, values in over_time(self).items()}
        rows = "".join(f"<tr><th>{name}</th><td>{value:.6g}</td></tr>" for name, value in means.items())
        caption = f"{self!r}: means over devices and the second half of the frames"
        return f"<table><caption>{caption}</caption>{rows}</table>"


def joined(parts: Sequence[Trace]) -> Trace:
    """Join the consecutive parts of one run, at least one, to one trace."""
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(Trace):
        values = [getattr(part, field.name) for part in parts]
        fields[field.name] = np.concatenate(values) if isinstance(values[0], np.ndarray) else values[-1]
    names = dict.fromkeys(name for part in parts for name in part.notes)
    fields["notes"] = {
        name: np.concatenate([part.notes.get(name, np.full(part.frames, np.nan)) for part in parts]) for name in names
    }
    fields["status"] = tuple(status for part in parts for status in part.status)
    fields["wall_s"] = sum(part.wall_s for part in parts)
    return Trace(**fields)
