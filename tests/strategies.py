"""Every Hypothesis strategy of the suite, and the profile it runs under.

Draws are derandomised, so that two runs of the suite cannot differ; `HYPOTHESIS_PROFILE=explore` draws anew.
"""

from __future__ import annotations

import os

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from quedge.model.cell import Cell, cell_of
from quedge.model.frame import Frame, checked_frame
from quedge.model.scenario import Scenario

_ANY_SPEED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("repeatable", max_examples=40, derandomize=True, **_ANY_SPEED)
settings.register_profile("explore", max_examples=500, **_ANY_SPEED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

ORDINARY_GAINS = (-13.0, -8.0)
"""Powers of ten between which channel gains lie in a cell like the paper's."""

EXTREME_GAINS = (-20.0, 0.0)
"""Powers of ten from a channel that carries nothing to one without loss."""


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    """Ordinary floats from `low` to `high`, both ends included; none between zero and 1e-60, which no cell knows."""
    drawn = st.floats(low, high, allow_nan=False, allow_infinity=False, allow_subnormal=False)
    return drawn.map(lambda number: 0.0 if abs(number) < 1e-60 else number)


def each_device(devices: int, low: float, high: float) -> st.SearchStrategy[float | list[float]]:
    """A scalar for all devices or a value for each."""
    value = numbers(low, high)
    return value | st.lists(value, min_size=devices, max_size=devices)


@st.composite
def distinct_gains(draw: st.DrawFn, devices: int, powers_of_ten: tuple[float, float] = ORDINARY_GAINS) -> np.ndarray:
    """Channel gains of which no two are equal, in no order."""
    low, high = (round(1000 * power) for power in powers_of_ten)
    steps = draw(st.lists(st.integers(low, high), min_size=devices, max_size=devices, unique=True))
    return np.power(10.0, np.array(steps) / 1000.0)


@st.composite
def scenarios(draw: st.DrawFn, devices: int) -> Scenario:
    """Scenarios away from the defaults, with scalars and lists mixed."""

    def each(low: float, high: float) -> float | list[float]:
        return draw(each_device(devices, low, high))

    return Scenario(
        devices=devices,
        frame_s=draw(numbers(0.1, 5.0)),
        v=draw(numbers(0.0, 200.0)),
        nu=draw(numbers(0.0, 1000.0)),
        weight=each(0.0, 3.0),
        power_budget_w=each(0.01, 1.0),
        cycles_per_bit=each(10.0, 1000.0),
        energy_coefficient=each(1e-28, 1e-25),
        max_frequency_hz=each(0.0, 3e9),
        bandwidth_hz=draw(numbers(1e4, 1e8)),
        overhead=each(1.0, 2.0),
        max_transmit_power_w=each(0.0, 1.0),
        noise_density_dbm_per_hz=draw(numbers(-180.0, -140.0)),
        payload_factor=each(0.1, 1.0),
        pqc_power_w=each(0.0, 0.2),
        pqc_energy_j_per_bit=draw(st.just(0.0) | numbers(0.0, 1e-6)),
        pqc_overhead_bits=draw(st.just(0.0) | numbers(0.0, 1e6)),
        pqc_max_rate_mbps=draw(st.just(1e9) | numbers(0.0, 20.0)),
        queue_exponent=draw(st.just(1.0) | numbers(0.1, 2.0)),
    )


@st.composite
def cells(draw: st.DrawFn, devices: int) -> Cell:
    """The paper's cell, or one with parameters of its own for each device."""
    return cell_of(draw(st.just(Scenario(devices=devices)) | scenarios(devices)))


def backlogs(devices: int, high: float) -> st.SearchStrategy[list[float]]:
    """Queues of each device: empty, ordinary, or up to `high`."""
    queue = st.just(0.0) | numbers(0.0, high / 50.0) | numbers(0.0, high)
    return st.lists(queue, min_size=devices, max_size=devices)


@st.composite
def frames(
    draw: st.DrawFn, min_devices: int = 1, max_devices: int = 8, powers_of_ten: tuple[float, float] | None = None
) -> Frame:
    """Frames whose channel gains all differ, ordinary or extreme unless `powers_of_ten` says which."""
    devices = draw(st.integers(min_devices, max_devices))
    spread = draw(st.sampled_from((ORDINARY_GAINS, EXTREME_GAINS))) if powers_of_ten is None else powers_of_ten
    return checked_frame(
        draw(cells(devices)),
        draw(distinct_gains(devices, spread)),
        draw(backlogs(devices, 2000.0)),
        draw(backlogs(devices, 200.0)),
    )


def offloads(devices: int) -> st.SearchStrategy[np.ndarray]:
    """Offloading decisions, each with any number of offloaders."""
    return st.lists(st.booleans(), min_size=devices, max_size=devices).map(lambda x: np.array(x, dtype=np.bool_))


@st.composite
def frames_with_decisions(draw: st.DrawFn, max_devices: int = 8) -> tuple[Frame, np.ndarray]:
    """A frame and one of its offloading decisions."""
    frame = draw(frames(max_devices=max_devices))
    return frame, draw(offloads(frame.cell.devices))


@st.composite
def permutations(draw: st.DrawFn, devices: int) -> np.ndarray:
    """A new order of the devices."""
    return np.array(draw(st.permutations(range(devices))))
