"""The metrics of shadows, while they are gathered: those of the same state, and those of the would-be queues."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from quedge.controller.answer import certified_gap
from quedge.service.monitoring.families import Families, add_queues
from quedge.service.monitoring.shadow_statistics import ShadowStatistics


class ShadowFamilies:
    """The metrics of all base stations' shadows."""

    def __init__(self) -> None:
        family = Families("quedge_shadow_")
        gauge, counter = family.gauge, family.counter
        self._frames = counter("frames", "Served frames that the shadow decided, by who would have.", "served_by")
        self._dropped = counter("dropped", "Served frames that the shadow did not decide.")
        self._restarts = counter("restarts", "Times that its would-be queues began at the served ones.")
        self._decision = family.times("decision_seconds", "Time in which the shadow decided a frame.")
        self._outcomes = counter(
            "same_state_frames", "Frames by how its objective compares at the served queues.", "outcome"
        )
        self._gain = counter("same_state_gain", "Sum of what its objectives are above the served ones.")
        self._loss = counter("same_state_loss", "Sum of what its objectives are below the served ones.")
        self._objective = gauge("same_state_objective", "Its objective of the last frame, at the served queues.")
        self._gap = gauge("same_state_certified_gap", "Proven gap of that, relative to it.")
        self._queue_mean = gauge("would_be_data_queue_mean_bytes", "Mean of the would-be data queues.")
        self._queue_max = gauge("would_be_data_queue_max_bytes", "Largest would-be data queue.")
        self._energy_mean = gauge("would_be_energy_queue_mean", "Mean of the would-be virtual energy queues.")
        self._ratio = gauge("would_be_offloading_ratio", "Share of the last frame's devices that would offload.")
        self._power = family.summary("would_be_device_power_watts", "Power that a device would draw in a frame.")

    def families(self) -> Iterator[Any]:
        """Those that there are; none without a shadow."""
        return (family for family in vars(self).values() if family.samples)

    def add(self, name: str, shadow: ShadowStatistics) -> None:
        """Add a base station's."""
        of_cell, last = [name], shadow.last
        for served_by, count in shadow.frames.items():
            self._frames.add_metric([name, served_by.value], count)
        for outcome, count in shadow.outcomes.items():
            self._outcomes.add_metric([name, outcome], count)
        for family, number in (
            (self._dropped, shadow.dropped),
            (self._restarts, shadow.restarts),
            (self._gain, shadow.gain),
            (self._loss, shadow.loss),
        ):
            family.add_metric(of_cell, number)
        self._decision.add_metric(of_cell, shadow.decision_times.cumulative(), shadow.decision_times.sum_s)
        self._power.add_metric(of_cell, shadow.device_frames, shadow.power_w)
        if last is None:
            return
        self._objective.add_metric(of_cell, last.same_state.objective)
        add_queues(of_cell, last.queues, self._queue_mean, self._queue_max, self._energy_mean)
        self._ratio.add_metric(of_cell, float(last.would_be.offload.mean()))
        gap = certified_gap(last.same_state)
        if gap is not None:
            self._gap.add_metric(of_cell, gap)
