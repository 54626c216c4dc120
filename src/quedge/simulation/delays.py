"""How long bits wait, first come, first served: percentiles, the distribution, and those that are late."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quedge.model.kernels import Floats, Ints, unlocked_kernel
from quedge.model.scenario import Scenario
from quedge.simulation.trace import Trace

_NOTHING = np.zeros((0, 0))
_ROUNDING = 1e-9  # relative, of a deadline that is a whole number of frames


class Delays:
    """Counts data by its delay, of all devices, as the parts of a run come.

    Each queue is first come, first served. A bit that arrives during frame t can be processed from frame t + 1 on, with
    a delay of one frame, so that the mean delay is the mean queue over the mean arrivals per frame (Little's law). Bits
    that still wait at the end count with their waiting time so far: where queues grow without bound, percentiles and
    the share that is late are lower bounds. Bits that are dropped do not count.

    It remembers the arrivals of as many frames as the longest queue goes back.
    """

    def __init__(self, scenario: Scenario, first_frame: int = 0) -> None:
        """Nothing is counted yet; bits that arrive before a frame never are."""
        devices = scenario.devices
        self._frame_s, self._first_frame, self._frames = scenario.frame_s, first_frame, 0
        self._in_time = np.full(devices, np.inf)  # frames
        if scenario.deadline_s is not None:
            self._in_time = np.floor(scenario.per_device("deadline_s") / scenario.frame_s * (1.0 + _ROUNDING))
        self._arrived = np.empty((0, devices))  # of the frames from `_known_from` on
        self._known_from = 0
        self._oldest, self._left = np.zeros(devices, np.int64), np.zeros(devices)
        self._mbit, self._late = np.zeros(1), np.zeros(1)

    def add(self, arrival_mbit: Floats, rate_mbps: Floats, dropped_mbit: Floats | None = None) -> None:
        """Count the next frames: arrivals (Mbit), rates (Mbit/s), and what was dropped; each (frames, devices)."""
        if self._frames == 0:
            self._left[:] = arrival_mbit[0]
        self._arrived = np.concatenate((self._arrived, arrival_mbit))
        frames = self._frames + arrival_mbit.shape[0]
        self._mbit = np.concatenate((self._mbit, np.zeros(arrival_mbit.shape[0])))
        span, waits = (self._frames, self._known_from, self._first_frame), (self._oldest, self._left)
        dropped = _NOTHING if dropped_mbit is None else dropped_mbit
        _serve(self._arrived, rate_mbps * self._frame_s, dropped, span, waits, self._in_time, (self._mbit, self._late))
        self._frames = frames
        served = int(self._oldest.min()) - self._known_from
        self._arrived, self._known_from = self._arrived[served:], self._known_from + served

    def histogram(self) -> NDArray[np.float64]:
        """Data (Mbit) by delays of 0, 1, 2 ... frames, shape (frames + 1,)."""
        return self._counted()[0]

    def distribution(self) -> NDArray[np.float64]:
        """Share of the bits whose delay is at most 0, 1, 2 ... frames.

        Returns:
            Rising shares, the last of them 1, shape (frames + 1,) at most; all bits count as served at once where
            nothing arrived.
        """
        mbit = self.histogram()
        cumulated = np.cumsum(mbit)
        if cumulated[-1] <= 0.0:
            return np.ones(1)
        return np.asarray(cumulated[: int(np.flatnonzero(mbit)[-1]) + 1] / cumulated[-1])

    def late_share(self) -> float:
        """Share of the bits that waited longer than their device's deadline; 0 without deadlines or bits."""
        mbit, late = self._counted()
        total = float(mbit.sum())
        return float(late[0]) / total if total > 0.0 else 0.0

    def _counted(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """All data by delay, and the data that is late, with what still waits."""
        counts = self._mbit.copy(), self._late.copy()
        span, waits = (self._frames, self._known_from, self._first_frame), (self._oldest, self._left)
        if self._frames > 0:
            _count_waiting(self._arrived, span, waits, self._in_time, counts)
        return counts


def delay_distribution(trace: Trace, first_frame: int = 0) -> NDArray[np.float64]:
    """As `Delays.distribution`, of the bits of a run that arrived from a frame on."""
    return _delays_of(trace, first_frame).distribution()


def delay_percentile(trace: Trace, percent: float = 95.0, first_frame: int = 0) -> float:
    """A percentile of the delay of all bits that arrived from a frame on, over all devices; see `Delays`.

    Args:
        trace: the run.
        percent: which percentile, from 0 to 100.
        first_frame: bits that arrived before this frame do not count.

    Returns:
        The smallest delay (frames) that `percent` of the bits do not exceed; 0 where nothing arrived.
    """
    return percentile_of(delay_distribution(trace, first_frame), percent)


def percentile_of(distribution: NDArray[np.float64], percent: float) -> float:
    """The smallest delay that `percent` of the bits do not exceed (frames)."""
    return float(np.searchsorted(distribution, min(percent / 100.0, 1.0 - 1e-12)))


def deadline_violation_ratio(trace: Trace, first_frame: int = 0) -> float:
    """As `Delays.late_share`, of the bits of a run that arrived from a frame on."""
    return _delays_of(trace, first_frame).late_share()


def _delays_of(trace: Trace, first_frame: int) -> Delays:
    delays = Delays(trace.scenario, first_frame)
    delays.add(trace.arrival_mbit, trace.rate_mbps, trace.dropped_mbit)
    return delays


_Span = tuple[int, int, int]  # frames counted before, frame of the first known arrivals, first frame that counts
_Waits = tuple[Ints, Floats]  # of each device the frame whose arrivals are served next, and what is left of them (Mbit)
_Counts = tuple[Floats, Floats]  # data by delay, and the data that is late (Mbit)


@unlocked_kernel
def _serve(
    arrived: Floats, processed_mbit: Floats, dropped: Floats, span: _Span, waits: _Waits, in_time: Floats,
    counts: _Counts,
) -> None:  # fmt: skip
    """Serve each device's queue in the frames after those counted before, and count what is served."""
    before, known_from, first_frame = span
    oldest, left = waits
    mbit, late = counts
    for i in range(processed_mbit.shape[1]):
        for t in range(processed_mbit.shape[0]):
            capacity, now = processed_mbit[t, i], before + t
            if dropped.size > 0 and dropped[t, i] > 0.0:
                oldest[i], left[i] = now, arrived[now - known_from, i]
            while oldest[i] < now and capacity > 0.0:
                served = min(left[i], capacity)
                if oldest[i] >= first_frame:
                    mbit[now - oldest[i]] += served
                    if now - oldest[i] > in_time[i]:
                        late[0] += served
                capacity -= served
                left[i] -= served
                if left[i] <= 0.0:
                    oldest[i] += 1
                    left[i] = arrived[oldest[i] - known_from, i]


@unlocked_kernel
def _count_waiting(arrived: Floats, span: _Span, waits: _Waits, in_time: Floats, counts: _Counts) -> None:
    """Count what still waits after so many frames."""
    frames, known_from, first_frame = span
    oldest, left = waits
    mbit, late = counts
    for i in range(oldest.size):
        waiting = left[i]
        for since in range(oldest[i], frames):
            if since > oldest[i]:
                waiting = arrived[since - known_from, i]
            if since >= first_frame:
                mbit[frames - since] += waiting
                if frames - since > in_time[i]:
                    late[0] += waiting
