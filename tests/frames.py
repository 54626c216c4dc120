"""Frames that tests lay by hand or draw without Hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from quedge.model.cell import cell_of
from quedge.model.frame import Frame, checked_frame
from quedge.model.scenario import Scenario
from quedge.simulation.processes import RicianFading


def laid_frame(channel_gain: Any, data_queue_mbit: Any, energy_queue: Any, **keys: Any) -> Frame:
    """A frame of the paper's cell; scalars stand for every device, `keys` replace the scenario's."""
    gain = np.array(channel_gain, dtype=np.float64)
    cell = cell_of(Scenario(devices=gain.size, **keys))
    each = (
        np.broadcast_to(np.asarray(queue, dtype=np.float64), gain.shape) for queue in (data_queue_mbit, energy_queue)
    )
    return checked_frame(cell, gain, *each)


def drawn_frame(devices: int, seed: int, **keys: Any) -> Frame:
    """A frame as a run of the paper's scenario meets it: faded gains, exponential queues."""
    rng = np.random.default_rng((seed, devices))
    scenario = Scenario(devices=devices, **keys)
    gain = RicianFading().sample(scenario, 1, rng)[0]
    return checked_frame(cell_of(scenario), gain, rng.exponential(8.0, devices), rng.exponential(6.0, devices))


def plain(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that calls no other as plain Python, which need not be compiled."""
    function: Callable[..., Any] = getattr(kernel, "py_func", kernel)  # itself, where nothing is compiled at all
    return function
