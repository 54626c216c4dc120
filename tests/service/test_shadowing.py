"""A shadow beside the service: nobody waits for it, and whatever it does is told."""

from __future__ import annotations

import queue
import threading
from typing import Any

import numpy as np
import pytest

pytest.importorskip("grpc")
pytest.importorskip("prometheus_client")

from quedge.controller.controller import Controller
from quedge.controller.shadow import Shadowed
from quedge.model.frame import Decision, Frame
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.service.monitoring.observers import Observer
from quedge.service.shadowing import MOST_WAITING, OVERRUN, Shadowing
from tests.service.monitoring.cells import SCENARIO, Cell, again

PATIENCE_S = 120.0


class Told(Observer):
    """Remembers what it is told of a shadow."""

    def __init__(self) -> None:
        self.shadowed_frames: queue.SimpleQueue[tuple[str, Shadowed]] = queue.SimpleQueue()
        self.dropped: list[tuple[str, str]] = []
        self.drop = threading.Event()

    def shadowed(self, base_station: str, shadowed: Shadowed) -> None:
        """See `Observer.shadowed`."""
        self.shadowed_frames.put((base_station, shadowed))

    def shadow_dropped(self, base_station: str, why: str) -> None:
        """See `Observer.shadow_dropped`."""
        self.dropped.append((base_station, why))
        self.drop.set()

    def next(self) -> tuple[str, Shadowed]:
        return self.shadowed_frames.get(timeout=PATIENCE_S)


class Gated:
    """All-local, once it may."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """See `Policy.decide`."""
        assert self.gate.wait(PATIENCE_S)
        return AllLocal().decide(frame, rng)


def shadowing(policy: Any, told: Observer) -> Shadowing:
    return Shadowing(lambda: Controller(SCENARIO, policy), told)


def test_each_cell_has_a_shadow_of_its_own_and_repeated_reports_have_none() -> None:
    told = Told()
    beside, north, south = shadowing(AllLocal(), told), Cell(), Cell()
    for frame in range(3):
        served = north.served(arrived_mbit=40.0)
        beside.served("north", served, 1e-3)
        beside.served("north", again(served), 1e-3)
        beside.served("south", south.served(arrived_mbit=10.0), 1e-3)
        found = dict(told.next() for _ in range(2))
        assert {name: each.would_be.frame for name, each in found.items()} == {"north": frame, "south": frame}
    assert found["north"].queues.data_queue_mbit[0] > found["south"].queues.data_queue_mbit[0]
    beside.stopped()
    assert told.shadowed_frames.empty()
    assert told.dropped == []


def test_a_slow_one_drops_frames_and_nobody_waits_until_it_has_caught_up() -> None:
    told, policy, cell = Told(), Gated(), Cell()
    beside = shadowing(policy, told)
    served = [cell.served() for _ in range(MOST_WAITING + 40)]
    for each in served:
        beside.served("north", each, 1e-3)  # which never blocks
    dropped = len(told.dropped)
    assert dropped in (39, 40)  # one may be in the shadow's hands
    assert {why for _, why in told.dropped} == {OVERRUN}
    policy.gate.set()
    whole = [told.next()[1] for _ in range(len(served) - dropped)]
    assert [each.would_be.frame for each in whole] == list(range(len(whole)))
    assert [each.began_anew for each in whole] == [True] + [False] * (len(whole) - 1)
    beside.served("north", cell.served(), 1e-3)
    assert told.next()[1].began_anew
    beside.stopped()


class Unmakeable(BestSingle):
    """Of it no controller can be made."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("as the test has it")


def test_whatever_it_raises_is_told_and_it_goes_on() -> None:
    told, cell = Told(), Cell()
    beside = shadowing(AllLocal(), told)
    works, beside.fresh = beside.fresh, lambda: Controller(SCENARIO, Unmakeable())
    beside.served("north", cell.served(), 1e-3)
    assert told.drop.wait(PATIENCE_S)
    assert told.dropped == [("north", "RuntimeError: as the test has it")]
    beside.fresh = works
    beside.served("north", cell.served(), 1e-3)
    assert told.next()[1].would_be.frame == 1
    beside.stopped()


def test_another_scenario_begins_at_the_served_queues() -> None:
    told, cell = Told(), Cell()
    beside = shadowing(AllLocal(), told)
    for _ in range(2):
        beside.served("north", cell.served(arrived_mbit=40.0), 1e-3)
    beside.fresh = lambda: Controller(SCENARIO, AllLocal())
    beside.served("north", cell.served(arrived_mbit=40.0), 1e-3)
    assert [told.next()[1].began_anew for _ in range(3)] == [True, False, True]
    beside.stopped()


def test_one_that_hangs_does_not_keep_the_service_from_its_end() -> None:
    policy = Gated()
    beside = shadowing(policy, Told())
    beside.served("north", Cell().served(), 1e-3)
    beside.stopped()  # returns, though it never decides
    policy.gate.set()
