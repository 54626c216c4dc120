"""The recorded walk through Munich that comes with the package."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from quedge.model.scenario import Scenario
from quedge.simulation.processes import Recorded

MUNICH_SCENARIO = Scenario(devices=10, pqc_power_w=0.02)
MUNICH_FRAMES = 5_000


@dataclass(frozen=True)
class MunichWalk:
    """Channel gains of ten devices that walk around a base station in Munich, ray-traced; 5,000 frames."""

    def sample(self, scenario: Scenario, frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """See `ChannelProcess.sample`."""
        return _recorded().sample(scenario, frames, rng)


@functools.cache
def _recorded() -> Recorded:
    from quedge.simulation.recording import read_recording

    with as_file(files("quedge") / "data" / "munich_walk.npz") as path:
        channel = read_recording(path, ["channel_gain"]).channel
    if channel is None:
        raise ValueError("munich_walk.npz: holds no channel gains")
    return channel
