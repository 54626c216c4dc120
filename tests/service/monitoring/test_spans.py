"""A span a frame, where spans are asked for."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("grpc")
pytest.importorskip("opentelemetry")

from opentelemetry import trace

from quedge.controller.answer import ServedBy
from quedge.service.monitoring.spans import Spans
from tests.service.monitoring.cells import Cell


class Tracer(trace.NoOpTracer):
    """Keeps what it is told of spans, and when they end."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []

    def start_span(self, name: str, *_: Any, **told: Any) -> Any:
        span = {"name": name, **told}
        self.spans.append(span)

        class Span(trace.NonRecordingSpan):
            def end(self, end_time: int | None = None) -> None:
                span["end_time"] = end_time

        return Span(trace.INVALID_SPAN_CONTEXT)


def test_a_frame_is_a_span_from_its_report_to_its_answer() -> None:
    tracer, cell = Tracer(), Cell()
    spans = Spans(tracer)
    spans.served("roof", cell.served(), 2e-3)
    spans.served("roof", cell.served(ServedBy.LATE), 5e-3)
    first, second = tracer.spans
    assert (first["name"], first["kind"]) == ("frame", trace.SpanKind.SERVER)
    told = first["attributes"]
    assert (told["quedge.cell"], told["quedge.frame"], told["quedge.served_by"]) == ("roof", 0, "policy")
    assert second["attributes"]["quedge.served_by"] == "late"
    assert [span["end_time"] - span["start_time"] for span in tracer.spans] == [2_000_000, 5_000_000]


def test_without_an_sdk_a_span_is_nothing() -> None:
    Spans().served("roof", Cell().served(), 1e-3)
