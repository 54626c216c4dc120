from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from quedge.allocation.greedy import NomaGreedy
from quedge.allocation.sca import NomaSca
from quedge.experiments.job import AllocatorGroup, Job, Series, findings_of_member
from quedge.experiments.probes import allocation_time
from quedge.experiments.probes.allocation_time import AllocationTime
from quedge.model.frame import Decision, Frame
from quedge.model.scenario import Scenario
from quedge.policy.exact import Exact
from quedge.simulation.run import simulate

PROBE = AllocationTime(settle=5)


def test_it_times_as_many_calls_as_the_job_has_frames() -> None:
    found = Job(Scenario(devices=4), NomaSca(), 0, 7, PROBE).run()
    times = found["time_us_of_call"]
    assert isinstance(times, Series)
    assert times.at.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    quartiles = [found[name] for name in ("time_us_p25", "time_us", "time_us_p75")]
    assert quartiles == pytest.approx(np.percentile(times.value, (25, 50, 75)))
    assert 0.0 < found["solver_us_p25"] <= found["solver_us"] <= found["solver_us_p75"]
    assert found["solver_us"] <= found["time_us"]
    assert found["rounds"] >= 1.0
    assert found["fallbacks"] == 0.0


def test_an_allocator_without_rounds_has_no_solver() -> None:
    found = Job(Scenario(devices=4), NomaGreedy(), 0, 1, PROBE).run()
    assert "solver_us" not in found
    assert found["time_us_p25"] == found["time_us"] == found["time_us_p75"]


class Logged:
    """Notes who was called and for which frame."""

    def __init__(self, name: str, log: list[tuple[str, float]]) -> None:
        self.name, self.log = name, log

    def allocate(self, frame: Frame, offload: NDArray[np.bool_]) -> Decision:
        assert offload.all()
        self.log.append((self.name, frame.channel_gain[0]))
        return NomaGreedy().allocate(frame, offload)


@pytest.mark.parametrize("short", [True, False])
def test_several_allocators_are_timed_in_turn_short_calls_after_one_of_the_frame_before(
    short: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocation_time, "_SHORT_US", math.inf if short else 0.0)
    log: list[tuple[str, float]] = []
    together = AllocatorGroup((("a", Logged("a", log)), ("b", Logged("b", log)), ("c", Logged("c", log))))
    found = Job(Scenario(devices=3), together, 0, 4, PROBE).run()
    gains = simulate(Scenario(devices=3), Exact(), 10, 0).channel_gain[5:, 0]
    assert log == [
        (name, gains[frame + later])
        for frame in range(4)
        for name in "abc"
        for later in ((0, 1) if short or frame == 0 else (1,))
    ]
    for name in "abc":
        own = findings_of_member(name, found)
        assert {"time_us", "time_us_p25", "time_us_p75", "rounds", "fallbacks", "time_us_of_call"} == own.keys()


def test_nothing_else_may_run_meanwhile() -> None:
    assert PROBE.exclusive
