from __future__ import annotations

import numpy as np
from hypothesis import given

from quedge.allocation.greedy import NomaGreedy
from quedge.model.frame import Frame
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.policy.coordinate_descent import LyCd
from tests.frames import drawn_frame
from tests.policies import decide
from tests.strategies import frames


@given(frame=frames())
def test_coordinate_descent_ends_where_no_single_device_gains_by_changing_its_mode(frame: Frame) -> None:
    decision = decide(LyCd(), frame)
    for i in range(frame.cell.devices):
        changed = decision.offload.copy()
        changed[i] = not changed[i]
        assert NomaGreedy().allocate(frame, changed).objective <= decision.objective


@given(frame=frames())
def test_coordinate_descent_is_at_least_the_best_single_offloader(frame: Frame) -> None:
    lycd = decide(LyCd(), frame).objective
    assert lycd >= decide(BestSingle(), frame).objective >= decide(AllLocal(), frame).objective


def test_coordinate_descent_tells_its_rounds() -> None:
    frame = drawn_frame(10, seed=1)
    decision = decide(LyCd(), frame)
    assert decision.notes["rounds"] == decision.offload.sum() + 1  # here nobody who has begun to offload leaves again
    np.testing.assert_array_equal(decision.offload, NomaGreedy().allocate(frame, decision.offload).offload)
