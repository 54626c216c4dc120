"""The log: a line an event, counted where it comes often."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

pytest.importorskip("grpc")
pytest.importorskip("structlog")

from quedge.controller.answer import ServedBy
from quedge.controller.state import QueueState
from quedge.model.frame import Decision, Frame
from quedge.service import quedge_pb2 as pb
from quedge.service.monitoring.logs import EVERY_S, Logs, Rendering
from tests.service.monitoring.cells import DEVICES, STARTED, Cell, Clock


class Log:
    """A log, and the lines that stand in it once it has ended."""

    def __init__(self, rendering: Rendering = Rendering.JSON) -> None:
        self.stream, self.clock = io.StringIO(), Clock()
        self.logs = Logs(rendering, self.stream, self.clock)

    def text(self) -> str:
        self.logs.stopped()
        return self.stream.getvalue()

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.text().splitlines()]
        return [line for line in lines if event in (None, line["event"])]


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    yield made
    made.logs.stopped()


def test_a_life_is_told_line_by_line(log: Log) -> None:
    log.logs.restored("roof", "0123", QueueState.empty(DEVICES)._replace(next_frame=17), 0)
    log.logs.started(STARTED)
    log.logs.stopping()
    restored, started, stopping, stopped = log.lines()
    assert (restored["event"], restored["base_station"], restored["next_frame"]) == ("restored", "roof", 17)
    assert started["event"] == "started"
    assert {name: started[name] for name in STARTED._fields} == STARTED._asdict()
    assert (stopping["event"], stopped["event"]) == ("stopping", "stopped")
    assert {line["level"] for line in (restored, started, stopping, stopped)} == {"info"}


def test_times_are_utc(log: Log) -> None:
    log.logs.started(STARTED)
    stamp = log.lines()[0]["timestamp"]
    assert stamp.endswith("Z")
    assert abs(datetime.fromisoformat(stamp) - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_first_refusal_of_a_kind_is_told_and_the_rest_counted(log: Log) -> None:
    for _ in range(500):
        log.logs.refused("roof", pb.OLD_FRAME)
    log.logs.refused("roof", pb.BAD_VALUE)
    log.clock.now += EVERY_S
    for _ in range(2):
        log.logs.refused("harbour", pb.OLD_FRAME)
    told = [(line["outcome"], line["base_station"], line["count"]) for line in log.lines("refused")]
    assert told[:2] == [("old_frame", "roof", 1), ("bad_value", "roof", 1)]
    assert [name for outcome, name, _ in told[2:] if outcome == "old_frame"][-1] == "harbour"
    assert sum(count for outcome, _, count in told if outcome == "old_frame") == 502
    assert len(told) <= 5


def test_counts_are_told_without_another_event(log: Log) -> None:
    log.logs.refused("roof", pb.OLD_FRAME)
    log.logs.refused("roof", pb.OLD_FRAME)
    log.logs._tell_counts()
    log.clock.now += EVERY_S
    log.logs._tell_counts()
    log.clock.now += EVERY_S
    log.logs._tell_counts()  # nothing happened: nothing to tell
    assert [line["count"] for line in log.lines("refused")] == [1, 1]


def test_the_writing_thread_looks_after_the_counts() -> None:
    stream, clock, told = io.StringIO(), Clock(), threading.Event()
    logs = Logs(Rendering.JSON, stream, clock)
    logs.refused("roof", pb.OLD_FRAME)
    logs.refused("roof", pb.OLD_FRAME)
    clock.now += EVERY_S
    for _ in range(100):
        if len(stream.getvalue().splitlines()) == 2:
            break
        told.wait(0.1)
    assert len(stream.getvalue().splitlines()) == 2
    logs.stopped()


def test_a_failing_policy_and_a_late_frame_name_their_frame(log: Log) -> None:
    cell = Cell()
    log.logs.served("roof", cell.served(), 1e-3)
    log.logs.served("roof", cell.served(ServedBy.LATE), 1e-3)
    log.logs.served("roof", cell.served(ServedBy.POLICY_FAILED), 1e-3)
    late, failed, _ = log.lines()
    assert (late["event"], late["level"], late["base_station"], late["frame"]) == ("late", "warning", "roof", 1)
    assert late["waited_s"] == 1e-4
    assert (failed["event"], failed["level"], failed["frame"]) == ("policy_failed", "error", 2)


def test_a_failing_policy_says_why(log: Log) -> None:
    class Broken:
        def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
            raise RuntimeError("a bad day")

    log.logs.served("roof", Cell(Broken()).served(), 1e-3)
    (failed,) = log.lines("policy_failed")
    assert failed["reason"] == "RuntimeError: a bad day"


def test_late_frames_are_counted_by_base_station(log: Log) -> None:
    roof, harbour = Cell(), Cell()
    for _ in range(50):
        log.logs.served("roof", roof.served(ServedBy.LATE), 1e-3)
    log.logs.served("harbour", harbour.served(ServedBy.LATE), 1e-3)
    told = [(line["base_station"], line["frame"], line["count"]) for line in log.lines("late")]
    assert told == [("roof", 0, 1), ("harbour", 0, 1), ("roof", 49, 49)]


def test_a_state_that_cannot_be_written_is_an_error(log: Log) -> None:
    log.logs.refused("roof", pb.NOT_DURABLE)
    (line,) = log.lines("not_durable")
    assert (line["level"], line["base_station"]) == ("error", "roof")


def test_names_that_are_not_allowed_are_not_written(log: Log) -> None:
    for name in ("x" * 1000, 'a\nb": <img>', "\x1b[31m"):
        log.logs.refused(name, pb.BAD_NAME)
    lines = log.lines("refused")
    assert sum(line["count"] for line in lines) == 3
    assert not any("base_station" in line for line in lines)


def test_nothing_of_a_report_or_of_a_secret_is_written() -> None:
    log = Log()
    cell = Cell()
    for decided_by in ServedBy:
        log.logs.served("roof", cell.served(decided_by, arrived_mbit=12.345678), 1e-3)
    log.logs.observer_failed("Metrics", RuntimeError("-----BEGIN PRIVATE KEY-----"))
    text = log.text()
    assert "12.345678" not in text
    assert "PRIVATE" not in text
    assert '"error": "RuntimeError"' in text


def test_people_get_lines_to_read() -> None:
    log = Log(Rendering.CONSOLE)
    log.logs.started(STARTED)
    text = log.text()
    assert "started" in text
    assert "policy=best-single" in text
    assert "\x1b" not in text  # no terminal, no colour
    assert not text.startswith("{")


def test_nothing_global_is_set_up() -> None:
    import structlog

    handlers, configured = list(logging.getLogger().handlers), structlog.is_configured()
    log = Log()
    log.logs.started(STARTED)
    log.logs.stopped()
    assert logging.getLogger().handlers == handlers
    assert structlog.is_configured() == configured


def test_importing_the_module_starts_and_loads_nothing() -> None:
    program = (
        "import sys, threading\n"
        "import quedge.service.monitoring.logs, quedge.service.monitoring.metrics\n"
        "print(threading.active_count(), 'structlog' in sys.modules, 'prometheus_client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 False False"


class Stuck(io.StringIO):
    """A stream whose reader does not read."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def write(self, text: str) -> int:
        self.free.wait(30.0)
        return super().write(text)


def test_a_stream_that_nobody_reads_holds_nothing_up() -> None:
    stream = Stuck()
    logs = Logs(Rendering.JSON, stream)
    for _ in range(3000):
        logs.started(STARTED)  # it would stand still here
    stream.free.set()
    logs.stopped()
    assert 1000 <= len(stream.getvalue().splitlines()) <= 1003


def test_a_closed_stream_is_no_error() -> None:
    stream = io.StringIO()
    logs = Logs(Rendering.JSON, stream)
    stream.close()
    logs.started(STARTED)
    logs.stopped()
