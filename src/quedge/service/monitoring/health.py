"""Health and readiness, and what can be asked for over HTTP."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import NamedTuple

from quedge.controller.engine import Served
from quedge.controller.state import Books
from quedge.service.monitoring.history import History
from quedge.service.monitoring.metrics import Metrics
from quedge.service.monitoring.observers import Started


class Health:
    """A watcher that knows whether reports are taken, and asks what ails the service.

    Args:
        ailment: what ails the service, in words; None where it is well. It is called from any thread.
    """

    def __init__(self, ailment: Callable[[], str | None] = lambda: None) -> None:
        self._ailment = ailment
        self._state = "starting"

    @property
    def state(self) -> str:
        """Where the service is in its life: "starting", "ready", "stopping" or "stopped"."""
        return self._state

    def ailment(self) -> str | None:
        """What ails the service, in words; None where it is well."""
        return self._ailment()

    def served(self, base_station: str, served: Served, round_trip_s: float) -> None:
        """See `Observer.served`."""

    def refused(self, base_station: str, outcome: int) -> None:
        """See `Observer.refused`."""

    def restored(self, base_station: str, books: Books) -> None:
        """See `Watcher.restored`."""

    def started(self, started: Started) -> None:
        """See `Watcher.started`."""
        self._state = "ready"

    def stopping(self) -> None:
        """See `Watcher.stopping`."""
        self._state = "stopping"

    def stopped(self) -> None:
        """See `Watcher.stopped`."""
        self._state = "stopped"


TEXT = "text/plain; charset=utf-8"


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


def endpoints_of(metrics: Metrics, history: History, health: Health) -> Endpoints:
    """The service's endpoints: metrics, whether it is well and ready, and the live page with its data."""
    page = _page()

    def well() -> Reply:
        ailment = health.ailment()
        return _said(200, "well") if ailment is None else _said(503, ailment)

    def ready() -> Reply:
        return _said(200 if health.state == "ready" else 503, health.state)

    return {
        "/": lambda: page,
        "/live.json": lambda: Reply(200, "application/json", history.live(health.state).encode()),
        "/metrics": lambda: Reply(200, "text/plain; version=0.0.4; charset=utf-8", metrics.exposition()),
        "/healthz": well,
        "/readyz": ready,
    }


def _said(status: int, text: str) -> Reply:
    return Reply(status, TEXT, f"{text}\n".encode())


def _page() -> Reply:
    """The live page; a browser runs its own script and style, known by their digests, and asks its own server only."""
    page = files("quedge.service.monitoring").joinpath("page.html").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src {_digest(page, 'script')}; style-src {_digest(page, 'style')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Reply(200, "text/html; charset=utf-8", page.encode(), policy)


def _digest(page: str, element: str) -> str:
    (content,) = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
