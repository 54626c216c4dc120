"""Compiled kernels give what their plain Python gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.allocation.greedy import greedy_levels
from quedge.model.frame import NO_TIME_SHARES, Allocation, Frame
from quedge.model.kernels import Floats, without_refcount
from quedge.model.terms import frame_terms
from quedge.model.uplink import Reception, advance_queues, decoding_order, fill_outcome
from tests import oracle
from tests.frames import drawn_frame
from tests.policies import POLICIES, charged, decide
from tests.strategies import frames, frames_with_decisions

ROOT = Path(__file__).resolve().parent.parent


@given(case=frames_with_decisions())
def test_terms_and_greedy_levels_equal_their_plain_python(case: tuple[Frame, np.ndarray]) -> None:
    frame, offload = case
    terms = frame_terms(*frame)
    with np.errstate(all="ignore"):  # as in compiled code, x / 0 is infinite
        plain = frame_terms.py_func(*frame)
    for compiled, interpreted in zip(terms, plain, strict=True):
        np.testing.assert_allclose(compiled, interpreted, rtol=1e-13)
    level, plain_level = np.empty(offload.size), np.empty(offload.size)
    objective = greedy_levels(terms, offload, level)
    with np.errstate(all="ignore"):
        plain_objective = greedy_levels.py_func(terms, offload, plain_level)
    np.testing.assert_allclose(level, plain_level, rtol=1e-13)
    assert abs(objective - plain_objective) <= 1e-12 * oracle.magnitude(
        frame, charged(frame, decide(POLICIES[0], frame))
    )


@given(frame=frames(), data=st.data())
def test_outcomes_and_queues_equal_their_plain_python(frame: Frame, data: st.DataObject) -> None:
    devices = frame.cell.devices
    offload = np.array(data.draw(st.lists(st.booleans(), min_size=devices, max_size=devices)))
    power = np.where(offload, frame.cell.max_transmit_power_w, 0.0)
    frequency = np.where(offload, 0.0, frame.cell.max_frequency_hz)
    allocation = Allocation(offload, power, frequency, NO_TIME_SHARES)
    order = decoding_order(frame.channel_gain)
    rate, drawn, plain_rate, plain_drawn = np.empty((4, devices))
    for reception in (
        Reception(order[::-1].copy(), frame.channel_gain, 0.25),
        Reception(order, frame.channel_gain, 0.0),
    ):
        objective = fill_outcome(frame, reception, allocation, rate, drawn)
        plain_objective = fill_outcome.py_func(frame, reception, allocation, plain_rate, plain_drawn)
        np.testing.assert_allclose(rate, plain_rate, rtol=1e-13)
        np.testing.assert_allclose(drawn, plain_drawn, rtol=1e-13)
        assert objective == pytest.approx(plain_objective, rel=1e-12, abs=1e-9)
    after = [(frame.data_queue_mbit.copy(), frame.energy_queue.copy()) for _ in range(2)]
    for advance, queues in zip((advance_queues, advance_queues.py_func), after, strict=True):
        advance(frame.cell, *queues, rate, drawn, np.ones(devices))
    np.testing.assert_allclose(after[0], after[1], rtol=1e-13)


class Pair(NamedTuple):
    rows: Floats
    factor: float


@numba.njit
def scaled_total(pairs: tuple[Pair, Pair], room: Floats) -> float:
    (first, second), room = without_refcount(pairs), without_refcount(room)
    total = 0.0
    for b in range(first.rows.shape[0]):
        row, filled = first.rows[b], room[b]
        filled[:] = row * first.factor
        total += filled.sum() + second.factor * second.rows[b].sum()
    return total


def test_arrays_that_are_not_counted_are_read_and_written_and_stay_with_their_owners() -> None:
    rows, room = np.arange(12.0).reshape(4, 3), np.empty((4, 3))
    pairs = Pair(rows, 2.0), Pair(rows + 1.0, 0.5)
    scaled_total(pairs, room)
    owned = [sys.getrefcount(array) for array in (rows, pairs[1].rows, room)]
    for _ in range(100):
        assert scaled_total(pairs, room) == 2.0 * 66.0 + 0.5 * 78.0
    np.testing.assert_array_equal(room, 2.0 * rows)
    assert [sys.getrefcount(array) for array in (rows, pairs[1].rows, room)] == owned
    assert without_refcount(pairs) is pairs  # without compilation


CASES = [(1, 0), (2, 1), (4, 2), (6, 3)]


def answers() -> list[list[object]]:
    """What every policy decides in a few frames, as plain lists."""
    decisions = [decide(policy, drawn_frame(*case, pqc_power_w=0.01)) for policy in POLICIES for case in CASES]
    return [[decision.status, *(np.asarray(decision[field]).tolist() for field in range(7))] for decision in decisions]


def test_every_policy_decides_the_same_without_compilation() -> None:
    program = "import json; from tests.test_compiled_kernels import answers; print(json.dumps(answers()))"
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    plain = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True, text=True, check=True, cwd=ROOT, env=environment,
    )  # fmt: skip
    for compiled, interpreted in zip(answers(), json.loads(plain.stdout), strict=True):
        assert interpreted[:2] == compiled[:2]  # status, and who offloads
        for ours, theirs in zip(compiled[2:], interpreted[2:], strict=True):
            if ours is None:
                assert theirs is None
            else:
                np.testing.assert_allclose(theirs, ours, rtol=1e-7, atol=1e-15)
