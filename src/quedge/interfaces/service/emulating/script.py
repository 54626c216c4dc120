"""What happens frame by frame: the world, and which device's report stays out, drawn before the first frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.simulation.world import World

_MOST_AWAY_FRAMES = 20
_FATES = 3  # number of the random stream; the world's and the policy's are 0 to 2


class Script(NamedTuple):
    """A run, all of it.

    Attributes:
        world: channel gains and arrivals.
        lost: whether a device's report of a frame is lost, shape (frames, devices).
        away: whether a device has no stream in a frame, shape (frames, devices).
    """

    world: World
    lost: NDArray[np.bool_]
    away: NDArray[np.bool_]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.lost.shape[0])


def script_of(world: World, seed: int, loss: float = 0.0, churn: float = 0.0) -> Script:
    """A run in a world.

    Args:
        world: channel gains and arrivals.
        seed: of what is lost and who leaves.
        loss: share of the reports that are lost.
        churn: share of a device's frames in which it leaves, for 1 to 20 frames.
    """
    fates = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_FATES,)))
    shape = world.channel_gain.shape
    lost = fates.random(shape) < loss
    leaves = fates.random(shape) < churn
    lasts = fates.integers(1, _MOST_AWAY_FRAMES, shape, endpoint=True)
    away = np.zeros(shape, dtype=np.bool_)
    left = np.zeros(shape[1], dtype=np.int64)  # frames until each one is back
    for t in range(shape[0]):
        left = np.where((left == 0) & leaves[t], lasts[t], left)
        away[t] = left > 0
        left = np.maximum(left - 1, 0)
    return Script(world, lost & ~away, away)
