"""The statistics as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from quedge import __version__
from quedge.controller.answer import ServedBy, certified_gap
from quedge.controller.engine import Standing
from quedge.service.monitoring.families import Families, add_queues
from quedge.service.monitoring.shadow_metrics import ShadowFamilies
from quedge.service.monitoring.statistics import CellStatistics, Statistics


class Metrics:
    """A registry of its own whose numbers are the statistics and how the engines stand, when it is asked."""

    def __init__(self, statistics: Statistics, standings: Callable[[], Iterable[tuple[str, Standing]]] = tuple) -> None:
        from prometheus_client import CollectorRegistry, ProcessCollector

        self._statistics, self._standings = statistics, standings
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format 0.0.4."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)

    def collect(self) -> Iterator[Any]:
        """The metrics, for the registry."""
        statistics, families, of_shadow = self._statistics, _CellFamilies(), ShadowFamilies()
        for name, cell in statistics.cells():
            families.add(name, cell, statistics.power_budget_w)
            if cell.shadow is not None:
                of_shadow.add(name, cell.shadow)
        for name, standing in self._standings():
            families.add_standing(name, standing)
        yield from vars(families).values()
        yield from of_shadow.families()
        yield from _service_families(statistics)


def _service_families(statistics: Statistics) -> Iterator[Any]:
    """What belongs to no base station."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

    yield GaugeMetricFamily("quedge_healthy", "Whether all is well: 1, or 0.", float(statistics.health_error is None))
    refused = CounterMetricFamily("quedge_refused", "Reports refused.", labels=["outcome"])
    for outcome, count in list(statistics.refusals.items()):
        refused.add_metric([outcome], count)
    yield refused
    limited = CounterMetricFamily("quedge_limited", "Reports and calls beyond a rate limit.", labels=["limit"])
    for limit, count in list(statistics.limits.items()):
        limited.add_metric([limit], count)
    yield limited
    reloads = CounterMetricFamily("quedge_reloads", "Times that scenario and agent were read anew.", labels=["outcome"])
    for outcome, count in statistics.reloads.items():
        reloads.add_metric([outcome], count)
    yield reloads
    yield InfoMetricFamily("quedge_build", "The software.", {"version": __version__})
    yield GaugeMetricFamily("quedge_start_time_seconds", "When the service began, since 1970.", statistics.began)
    if statistics.standby_in_sync is not None:
        meaning = "Whether a standby has all that was acknowledged: 1, or 0."
        yield GaugeMetricFamily("quedge_standby_in_sync", meaning, float(statistics.standby_in_sync))
    if statistics.certificate_expiry is not None:
        meaning = "When the certificate in use expires, since 1970."
        yield GaugeMetricFamily("quedge_tls_certificate_expiry_time_seconds", meaning, statistics.certificate_expiry)
        meaning = "Changed certificates that could not be used."
        yield CounterMetricFamily("quedge_tls_renewals_refused", meaning, statistics.renewals_refused)
        failures = CounterMetricFamily(
            "quedge_tls_handshake_failures", "TLS handshakes that failed.", labels=["reason"]
        )
        for reason, count in list(statistics.handshake_failures.items()):
            failures.add_metric([reason], count)
        yield failures
    running = statistics.running
    if running is not None:
        yield InfoMetricFamily("quedge_tls", "How streams are secured.", {"mode": running.tls})
        told = {"policy": running.policy, "durability": running.durability}
        yield InfoMetricFamily("quedge_service", "What the service was told to do.", told)
        if running.shadow:
            yield InfoMetricFamily("quedge_shadow", "The policy that decides beside.", {"policy": running.shadow})


class _CellFamilies:
    """The metrics of all base stations, while they are gathered."""

    def __init__(self) -> None:
        family = Families("quedge_")
        gauge, counter = family.gauge, family.counter
        self.decision = family.times("decision_seconds", "Time in which a frame was decided.")
        self.answer = family.times("answer_seconds", "Time from a report's arrival to its answer.")
        self.frames = counter("frames", "Frames served, by who decided.", "served_by")
        self.repeated = counter("repeated", "Reports that had been served before, and answered once more.")
        self.offloaded = counter("offloaded", "Device-frames in which the device offloaded.")
        self.power = family.summary("device_power_watts", "Mean power of a device in a frame, over all device-frames.")
        self.queue_mean = gauge("data_queue_mean_bytes", "Mean data queue of the devices.")
        self.queue_max = gauge("data_queue_max_bytes", "Largest data queue of a device.")
        self.energy_mean = gauge("energy_queue_mean", "Mean virtual energy queue of the devices.")
        self.power_mean = gauge("power_mean_watts", "Mean power of the devices in the last frame.")
        self.budget = gauge("power_budget_watts", "Budget of the mean power, mean of the devices.")
        self.ratio = gauge("offloading_ratio", "Share of the devices that offload in the last frame.")
        self.objective = gauge("objective", "Objective of the last frame.")
        self.next_frame = gauge("next_frame", "Number of the frame that is due.")
        self.streams = gauge("open_streams", "Streams that report for the base station now.")
        self.state = family.info("state", "The cell's state, by its identity.")
        self.waiting = gauge("waiting_reports", "Reports that wait for their turn.")
        self.journal = gauge("journal_bytes", "Size of the state's database and its write-ahead log.")
        self.kept = gauge("checkpoint_time_seconds", "When the last checkpoint was kept, since 1970.")
        self.migrations = counter("migrations", "Times that it went on under a changed scenario, queues kept.")
        self.gap = gauge("certified_gap", "Proven gap of the last frame, relative to its objective.")
        self.candidates = gauge("candidates", "K, candidates that the policy tried in the last frame.")

    def add(self, name: str, cell: CellStatistics, power_budget_w: float) -> None:
        """Add a base station's."""
        of_cell, counts, queues = [name], cell.counts, cell.queues
        for family, times in ((self.decision, cell.decision_times), (self.answer, cell.answer_times)):
            family.add_metric(of_cell, times.cumulative(), times.sum_s)
        for served_by in ServedBy:
            self.frames.add_metric([name, served_by.value], counts[served_by])
        self.repeated.add_metric(of_cell, counts["repeated"])
        self.offloaded.add_metric(of_cell, counts["offloaded"])
        self.power.add_metric(of_cell, int(counts["device_frames"]), counts["power_w"])
        add_queues(of_cell, queues, self.queue_mean, self.queue_max, self.energy_mean)
        self.budget.add_metric(of_cell, power_budget_w)
        self.next_frame.add_metric(of_cell, queues.next_frame)
        self.streams.add_metric(of_cell, cell.open_streams)
        self.migrations.add_metric(of_cell, cell.migrations)
        self.state.add_metric(of_cell, {"incarnation": cell.incarnation})
        if cell.last is None:
            return
        answer, candidates = cell.last.answer, cell.last.info.candidates
        self.power_mean.add_metric(of_cell, float(answer.power_w.mean()))
        self.ratio.add_metric(of_cell, float(answer.offload.mean()))
        self.objective.add_metric(of_cell, answer.objective)
        gap = certified_gap(answer)
        if gap is not None:
            self.gap.add_metric(of_cell, gap)
        if candidates is not None:
            self.candidates.add_metric(of_cell, candidates)

    def add_standing(self, name: str, standing: Standing) -> None:
        """Add how a base station's engine stands."""
        self.waiting.add_metric([name], standing.waiting)
        if standing.journal_bytes is not None:
            self.journal.add_metric([name], standing.journal_bytes)
        if standing.kept_at is not None:
            self.kept.add_metric([name], standing.kept_at)
