"""Several watchers as one."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("grpc")

from quedge.service import quedge_pb2 as pb
from quedge.service.monitoring.health import Health
from quedge.service.monitoring.history import History
from quedge.service.monitoring.logs import Logs
from quedge.service.monitoring.metrics import Metrics
from quedge.service.monitoring.observers import Observers
from quedge.service.servicer import Observer
from tests.service.monitoring.cells import STARTED, Cell

EVENTS = ("served", "refused", "restored", "started", "stopping", "stopped")


class Remembering:
    """Keeps what it is told, and raises if it is to."""

    def __init__(self, raising: bool = False) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.raising = raising

    def __getattr__(self, event: str) -> Any:
        def told(*what: Any) -> None:
            self.told.append((event, *what))
            if self.raising:
                raise RuntimeError("no")

        return told


def tell_everything(observers: Observers) -> list[tuple[Any, ...]]:
    cell = Cell()
    served = cell.served()
    told = [
        ("started", STARTED), ("restored", "roof", cell.controller.books), ("served", "roof", served, 1e-3),
        ("refused", "roof", pb.OLD_FRAME), ("stopping",), ("stopped",),
    ]  # fmt: skip
    for event, *what in told:
        getattr(observers, event)(*what)
    return told


def test_every_watcher_is_told_everything() -> None:
    first, second = Remembering(), Remembering()
    observers = Observers((first, second))
    told = tell_everything(observers)
    assert {event for event, *_ in told} == set(EVENTS)
    assert first.told == second.told == told


def test_a_watcher_that_raises_keeps_nothing_from_the_others() -> None:
    mistakes = []
    last = Remembering()
    told = tell_everything(
        Observers((Remembering(True), last), lambda name, error: mistakes.append((name, str(error))))
    )
    assert last.told == told
    assert mistakes == [("Remembering", "no")] * len(told)


def test_observers_are_an_observer_of_the_servicer() -> None:
    observer: Observer = Observers(())
    observer.refused("roof", pb.OLD_FRAME)


@pytest.mark.parametrize("kind", [Metrics, History, Health, Logs])
def test_every_watcher_has_a_method_for_every_event(kind: type) -> None:
    assert all(callable(getattr(kind, event)) for event in EVENTS)
