"""How the metrics of base stations are made: those of what is served, and those of shadows."""

from __future__ import annotations

from typing import Any

from quedge.controller.state import QueueState
from quedge.model.cell import BITS_PER_MBIT

_BYTES_PER_MBIT = BITS_PER_MBIT / 8.0
_OF_CELL = ["base_station"]


class Families:
    """Makes metrics whose names begin alike, each with a label for the base station."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def gauge(self, name: str, meaning: str) -> Any:
        """A number that rises and falls."""
        from prometheus_client.core import GaugeMetricFamily

        return GaugeMetricFamily(self._prefix + name, meaning, labels=_OF_CELL)

    def counter(self, name: str, meaning: str, *labels: str) -> Any:
        """A number that rises only, with more labels where they are named."""
        from prometheus_client.core import CounterMetricFamily

        return CounterMetricFamily(self._prefix + name, meaning, labels=[*_OF_CELL, *labels])

    def times(self, name: str, meaning: str) -> Any:
        """A histogram of times."""
        from prometheus_client.core import HistogramMetricFamily

        return HistogramMetricFamily(self._prefix + name, meaning, labels=_OF_CELL)

    def summary(self, name: str, meaning: str) -> Any:
        """A sum and a number of what was summed."""
        from prometheus_client.core import SummaryMetricFamily

        return SummaryMetricFamily(self._prefix + name, meaning, labels=_OF_CELL)

    def info(self, name: str, meaning: str) -> Any:
        """Texts that tell what something is."""
        from prometheus_client.core import InfoMetricFamily

        return InfoMetricFamily(self._prefix + name, meaning, labels=_OF_CELL)


def add_queues(of_cell: list[str], queues: QueueState, mean: Any, largest: Any, energy_mean: Any) -> None:
    """Add a base station's queues to gauges: of the data queues mean and largest (bytes), of the energy queues mean."""
    mean.add_metric(of_cell, _BYTES_PER_MBIT * float(queues.data_queue_mbit.mean()))
    largest.add_metric(of_cell, _BYTES_PER_MBIT * float(queues.data_queue_mbit.max()))
    energy_mean.add_metric(of_cell, float(queues.energy_queue.mean()))
