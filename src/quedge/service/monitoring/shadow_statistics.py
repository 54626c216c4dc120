"""What is counted of a cell's shadow."""

from __future__ import annotations

from copy import copy

import numpy as np

from quedge.controller.answer import ServedBy
from quedge.controller.shadow import Shadowed
from quedge.service.monitoring.times import Times

_EQUAL = 1e-4  # relative; objectives that lie no further apart are equal: nobody changes a policy for less


class ShadowStatistics:
    """What is counted of a cell's shadow.

    Attributes:
        last: the last frame that it decided; None before the first one.
        frames: frames that it decided, by whether its policy did, or failed.
        dropped: frames that it did not decide.
        restarts: how often its would-be queues began at the served ones.
        outcomes: frames in which its objective was "better" than what was served at the same queues, "equal", "worse".
        gain: sum of what it was above what was served.
        loss: sum of what it was below.
        compared: sum of the served objectives' absolute values in all that were compared.
        device_frames: device-frames that it decided at its would-be queues.
        offloaded: how many of them would offload.
        power_w: the sum of their powers (W).
        decision_times: histogram over all frames.
    """

    def __init__(self) -> None:
        self.last: Shadowed | None = None
        self.frames: dict[ServedBy, int] = {ServedBy.POLICY: 0, ServedBy.POLICY_FAILED: 0}
        self.dropped = self.restarts = 0
        self.outcomes = {"better": 0, "equal": 0, "worse": 0}
        self.gain = self.loss = self.compared = 0.0
        self.device_frames = self.offloaded = 0
        self.power_w = 0.0
        self.decision_times = Times()
        self._before = (0, 0.0)  # device-frames and power at the beginning of the second

    def take(self, shadowed: Shadowed) -> None:
        """Count a frame."""
        would_be, difference = shadowed.would_be, shadowed.difference
        self.last = shadowed
        self.frames[ServedBy.POLICY_FAILED if shadowed.failure else ServedBy.POLICY] += 1
        self.restarts += shadowed.began_anew
        self.decision_times.add(shadowed.decision_s)
        self.device_frames += would_be.devices.size
        self.offloaded += int(np.count_nonzero(would_be.offload))
        self.power_w += float(np.add.reduce(would_be.power_w))
        if difference is None:
            return
        served = abs(shadowed.served_objective)
        self.compared += served
        self.gain += max(difference, 0.0)
        self.loss += max(-difference, 0.0)
        if abs(difference) <= _EQUAL * served:
            self.outcomes["equal"] += 1
        else:
            self.outcomes["better" if difference > 0.0 else "worse"] += 1

    def of_second(self) -> tuple[float | None, float | None]:
        """The mean would-be queue now (Mbit), and the mean would-be power since this was last asked for (W)."""
        frames, power_w = self.device_frames - self._before[0], self.power_w - self._before[1]
        self._before = self.device_frames, self.power_w
        queue = None if self.last is None else float(self.last.queues.data_queue_mbit.mean())
        return queue, power_w / frames if frames else None

    def copied(self) -> ShadowStatistics:
        """A copy that does not change."""
        copied = copy(self)
        copied.frames, copied.outcomes = self.frames.copy(), self.outcomes.copy()
        copied.decision_times = self.decision_times.copied()
        return copied
