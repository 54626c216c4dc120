"""Frames as spans of OpenTelemetry, through its interface alone: an SDK that the process is run with exports them."""

from __future__ import annotations

import time
from typing import Any

from quedge import __version__
from quedge.controller.engine import Served
from quedge.service.monitoring.observers import Observer


class Spans(Observer):
    """An observer that makes a span of each served report, from its arrival to its answer.

    Args:
        tracer: of OpenTelemetry; the process's own where it is None, which does nothing where no SDK was set up.
    """

    def __init__(self, tracer: Any = None) -> None:
        from opentelemetry import trace

        self._tracer = trace.get_tracer("quedge", __version__) if tracer is None else tracer
        self._kind = trace.SpanKind.SERVER

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """See `Observer.served`."""
        answer, end = served.answer, time.time_ns()
        attributes: dict[str, Any] = {
            "quedge.cell": base_station,
            "quedge.frame": answer.frame,
            "quedge.served_by": answer.served_by.value,
            "quedge.repeated": served.repeated,
            "quedge.devices": answer.devices.size,
            "quedge.waited_s": served.waited_s,
            "quedge.decision_s": served.decision_s,
        }
        began = end - round(1e9 * round_trip_s)
        self._tracer.start_span("frame", kind=self._kind, attributes=attributes, start_time=began).end(end)
