from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

pytest.importorskip("grpc")

from quedge.service.processes.line import Line

PATIENCE_S = 30.0


class Side:
    def __init__(self, connected: socket.socket) -> None:
        self.later: Future[Any] = Future()
        self.has_ended = threading.Event()
        self.line = Line(connected, self.answer, self.has_ended.set)

    def answer(self, asked: dict[str, Any]) -> Future[Any] | None:
        if asked["what"] == "mistake":
            raise ValueError("ours")
        return self.later if asked["what"] == "later" else None

    def asked(self, what: str) -> Any:
        return self.line.ask(what).result(PATIENCE_S)


@pytest.fixture
def sides() -> Iterator[tuple[Side, Side]]:
    one, other = map(Side, socket.socketpair())
    yield one, other
    one.line.close()
    other.line.close()


def test_both_sides_ask_and_answers_come_when_they_are_there(sides: tuple[Side, Side]) -> None:
    one, other = sides
    waits = one.line.ask("later")
    assert one.asked("now") is None
    assert other.asked("now") is None
    other.later.set_result([1, "a"])
    assert waits.result(PATIENCE_S) == [1, "a"]


def test_what_goes_wrong_over_there_is_told_and_the_line_goes_on(sides: tuple[Side, Side]) -> None:
    one, other = sides
    with pytest.raises(ConnectionError, match="ValueError"):
        one.asked("mistake")
    other.later.set_exception(KeyError("x"))
    with pytest.raises(ConnectionError, match="KeyError"):
        one.asked("later")
    assert one.asked("now") is None


def test_whoever_waits_is_told_that_the_other_side_is_gone(sides: tuple[Side, Side]) -> None:
    one, other = sides
    waits = one.line.ask("later")
    other.line.close()
    with pytest.raises(ConnectionError, match="gone"):
        waits.result(PATIENCE_S)
    assert one.has_ended.wait(PATIENCE_S)
    with pytest.raises(ConnectionError, match="gone"):
        one.asked("now")
