"""Several observers as one."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

pytest.importorskip("grpc")


from quedge.service import quedge_pb2 as pb
from quedge.service.monitoring.observers import Observer, Observers
from tests.service.monitoring.cells import BUDGET_W, STARTED, Cell

EXPIRES = datetime.datetime(2031, 5, 1, tzinfo=datetime.UTC)
EVENTS = {name for name in vars(Observer) if not name.startswith("_")}


class Remembering(Observer):
    """Keeps what it is told, and raises if it is to."""

    def __init__(self, raising: bool = False) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.raising = raising

    def __getattribute__(self, event: str) -> Any:
        if event not in EVENTS:
            return super().__getattribute__(event)

        def told(*what: Any) -> None:
            self.told.append((event, *what))
            if self.raising:
                raise RuntimeError("no")

        return told


def tell_everything(observers: Observers) -> list[tuple[Any, ...]]:
    cell = Cell()
    served = cell.served()
    told = [
        ("started", STARTED), ("restored", "roof", "0123", cell.controller.queues, 0), ("served", "roof", served, 1e-3),
        ("begun", "cellar", "4567", cell.controller.queues, ""), ("health_changed", "a full disk"),
        ("reloaded", ("v",), BUDGET_W), ("reload_refused", "frame_s: no"), ("migrated", "roof", cell.controller.queues),
        ("shadowed", "roof", None), ("shadow_dropped", "roof", "as the test has it"),
        ("refused", "roof", pb.OLD_FRAME), ("connected", "TLSv1.3", "X25519MLKEM768"),
        ("stream_began", "roof", "ServeFrames", "192.0.2.7:4711"), ("library_said", "error", "a.cc:7", "no luck"),
        ("stream_ended", "roof", "ServeFrames", "192.0.2.7:4711"), ("handshake_failed", "http_request", ""),
        ("limited", "refusals", "192.0.2.7:4711"), ("few_descriptors", 256, 1024),
        ("certificate_used", EXPIRES), ("renewal_refused", "as the test has it"),
        ("left", "cellar"), ("standby_changed", "in sync"), ("standing_by", "taken over"),
        ("compiling",), ("stopping",), ("stopped",),
    ]  # fmt: skip
    for event, *what in told:
        getattr(observers, event)(*what)
    return told


def test_every_observer_is_told_everything() -> None:
    first, second = Remembering(), Remembering()
    observers = Observers((first, second))
    told = tell_everything(observers)
    assert {event for event, *_ in told} == EVENTS
    assert first.told == second.told == told


def test_an_observer_that_raises_keeps_nothing_from_the_others() -> None:
    mistakes = []
    last = Remembering()
    told = tell_everything(
        Observers((Remembering(True), last), lambda name, error: mistakes.append((name, str(error))))
    )
    assert last.told == told
    assert mistakes == [("Remembering", "no")] * len(told)
