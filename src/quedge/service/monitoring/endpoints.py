"""What can be asked for over HTTP: metrics, health, readiness, and the live page with its data."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge import __version__
from quedge.controller.answer import Answer, ServedBy, certified_gap
from quedge.controller.engine import Standing
from quedge.controller.state import QueueState
from quedge.service.monitoring.metrics import Metrics
from quedge.service.monitoring.shadow_statistics import ShadowStatistics
from quedge.service.monitoring.statistics import POINT_COLUMNS, Statistics

TEXT = "text/plain; charset=utf-8"
METRICS_TEXT = "text/plain; version=0.0.4; charset=utf-8"

MAX_DEVICES = 1000
"""Devices beyond this number are not shown one by one."""


_PAGE = ("page.html", "page.css", "elements.js", "charts.js", "devices.js", "page.js")


class Reply(NamedTuple):
    """What is answered to a request.

    Attributes:
        status: HTTP's status.
        content_type: what the body is.
        body: the body.
        content_policy: what a browser may load and run, as Content-Security-Policy says it.
    """

    status: int
    content_type: str
    body: bytes
    content_policy: str = "default-src 'none'; frame-ancestors 'none'"


Endpoints = Mapping[str, Callable[[], Reply]]
"""What makes the reply, by path."""


def endpoints_of(
    statistics: Statistics,
    health_error: Callable[[], str | None],
    standings: Callable[[], Iterable[tuple[str, Standing]]] = tuple,
) -> Endpoints:
    """The service's endpoints.

    Args:
        statistics: what was counted.
        health_error: says what is wrong with the service, None where it is well; it is called from any thread.
        standings: tells how the engine of each base station stands, by its name; likewise.
    """
    shown, metrics = page(), Metrics(statistics, standings)

    def health() -> Reply:
        error = health_error()
        if error is not None:
            return _said(503, error)
        cells = [f"{name}: incarnation {cell.incarnation}" for name, cell in statistics.cells()]
        return _said(200, "\n".join(["well", *cells]))

    def readiness() -> Reply:
        error = health_error() if statistics.state == "ready" else statistics.state
        return _said(200, "ready") if error is None else _said(503, error)

    def startup() -> Reply:
        return _said(200, "started") if statistics.running is not None else _said(503, statistics.state)

    return {
        "/": lambda: shown,
        "/live.json": lambda: Reply(200, "application/json", live(statistics).encode()),
        "/metrics": lambda: Reply(200, METRICS_TEXT, metrics.exposition()),
        "/healthz": health,
        "/readyz": readiness,
        "/startupz": startup,
    }


def live(statistics: Statistics) -> str:
    """What the page shows, as JSON: the recent past of every cell, and its last frame."""
    stations = []
    for name, cell in statistics.cells():
        counts, last = cell.counts, None if cell.last is None else _last_frame(cell.last.answer)
        fields = _fields(
            name=name,
            next_frame=cell.queues.next_frame,
            served=sum(counts[served_by] for served_by in ServedBy),
            repeated=counts["repeated"],
            refused=counts["refused"],
            late=counts[ServedBy.LATE],
            policy_failed=counts[ServedBy.POLICY_FAILED],
            decision_mean_s=cell.decision_times.mean_s,
            last=last,
            silent=None if cell.last is None else _silent(cell.queues, cell.last.answer),
            shadow=None if cell.shadow is None else _shadow(cell.shadow),
        )
        stations.append(f'{{{fields}, "points": [{", ".join(cell.points)}]}}')
    service = _fields(
        version=__version__,
        state=statistics.state,
        service=None if statistics.running is None else statistics.running._asdict(),
        second=statistics.second,
        devices=statistics.devices,
        power_budget_w=statistics.power_budget_w,
        refused={outcome: count for outcome, count in list(statistics.refusals.items()) if count},
        columns=POINT_COLUMNS,
    )
    return f'{{{service}, "base_stations": [{", ".join(stations)}]}}'


def _last_frame(answer: Answer) -> dict[str, Any]:
    """A frame device by device, those first that have low numbers."""
    shown, gap = slice(MAX_DEVICES), certified_gap(answer)
    return {
        "frame": answer.frame,
        "served_by": answer.served_by.value,
        "status": answer.status.value,
        "certified_gap": None if gap == math.inf else gap,
        "reported": answer.devices.size,
        "devices": answer.devices[shown].tolist(),
        "offload": answer.offload[shown].tolist(),
        "data_queue_mbit": _rounded(answer.data_queue_mbit[shown]),
        "power_w": _rounded(answer.power_w[shown]),
    }


def _silent(queues: QueueState, answer: Answer) -> dict[str, Any]:
    """The devices that are not in the last frame, and their queues, those first that have low numbers."""
    silent = np.setdiff1d(np.arange(queues.data_queue_mbit.size), answer.devices)[:MAX_DEVICES]
    return {"devices": silent.tolist(), "data_queue_mbit": _rounded(queues.data_queue_mbit[silent])}


def _shadow(shadow: ShadowStatistics) -> dict[str, Any]:
    """What is told of a shadow beside the points."""
    last, decided = shadow.last, sum(shadow.frames.values())
    gap = None if last is None else certified_gap(last.same_state)
    return {
        "frames": decided,
        "failed": shadow.frames[ServedBy.POLICY_FAILED],
        "dropped": shadow.dropped,
        "restarts": shadow.restarts,
        "outcomes": shadow.outcomes,
        "mean_difference": (shadow.gain - shadow.loss) / shadow.compared if shadow.compared > 0.0 else None,
        "certified_gap": None if gap == math.inf else gap,
        "decision_mean_s": shadow.decision_times.mean_s,
    }


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


def _fields(**fields: Any) -> str:
    """Fields of a JSON object, without its braces."""
    return json.dumps(fields, allow_nan=False)[1:-1]


def _said(status: int, text: str) -> Reply:
    return Reply(status, TEXT, f"{text}\n".encode())


def page() -> Reply:
    """The live page; a browser runs its own script and style, known by their digests, and asks its own server only."""
    folder = files("quedge.service.monitoring").joinpath("page")
    page, style, *scripts = (folder.joinpath(name).read_text(encoding="utf-8") for name in _PAGE)
    page = page.replace("<style></style>", f"<style>{style}</style>")
    script = "\n".join(('"use strict";', *scripts))
    page = page.replace("<script></script>", f"<script>\n{script}</script>")
    policy = (
        f"default-src 'none'; script-src {_digest(page, 'script')}; style-src {_digest(page, 'style')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Reply(200, "text/html; charset=utf-8", page.encode(), policy)


def _digest(page: str, element: str) -> str:
    (content,) = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
