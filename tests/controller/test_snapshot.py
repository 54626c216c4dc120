"""Checkpoints: where a controller stands comes back bit for bit, and goes on alike."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.allocation.tdma import Tdma
from quedge.controller.state import Snapshot
from quedge.policy.baselines import Random
from quedge.policy.exact import Exact
from quedge.policy.lydroo import EQUIVARIANT, Lydroo, MlpActor, TrainedLydroo
from quedge.policy.lydroo.network import SharedActor, fresh_weights
from quedge.policy.policy import Learner, Policy
from tests.controller.reports import LEARNING, SMALL, drawn_reports, fresh, queues_as_bytes, served

POLICIES = {
    "exact": Exact(),
    "random": Random(),
    "learning": LEARNING,
    "learning, not yet": EQUIVARIANT,
    "trained": TrainedLydroo(EQUIVARIANT, fresh_weights(SharedActor().shapes(4, 9), np.random.default_rng(0)), 4),
    "learning, of time shares": Lydroo(allocator=Tdma(), actor=MlpActor(), memory=16, batch=4, update_every=3),
}
every_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)


@every_policy
@pytest.mark.parametrize("frames", [0, 1, 70])
def test_a_controller_that_stands_where_another_stood_goes_on_alike(policy: Policy | Learner, frames: int) -> None:
    reports = drawn_reports(frames + 60)
    first, second = fresh(policy), fresh(policy, seed=99)
    served(first, reports[:frames])
    kept = first.snapshot().packed()
    second.restore(Snapshot.unpacked(kept))
    assert second.snapshot().packed() == kept
    assert queues_as_bytes(second) == queues_as_bytes(first)
    assert served(first, reports[frames:]) == served(second, reports[frames:])
    assert first.snapshot().packed() == second.snapshot().packed()


@every_policy
def test_a_checkpoint_does_not_change_with_what_comes_after_it(policy: Policy | Learner) -> None:
    controller, reports = fresh(policy), drawn_reports(80)
    served(controller, reports[:40])
    snapshot = controller.snapshot()
    kept = snapshot.packed()
    served(controller, reports[40:])
    assert snapshot.packed() == kept


def test_a_queues_as_bytes_other_devices_or_of_another_kind_of_policy_is_refused() -> None:
    exact, learning = fresh(), fresh(LEARNING)
    five = fresh(scenario=dataclasses.replace(SMALL, devices=5))
    with pytest.raises(ValueError, match="devices: 5 is not allowed; it must be 4"):
        exact.restore(five.snapshot())
    for one, other in ((exact, learning), (learning, exact)):
        with pytest.raises(ValueError, match="one of the two learns and the other does not"):
            one.restore(other.snapshot())


KEPT = fresh(LEARNING).snapshot().packed()


@given(st.integers(0, len(KEPT) - 1), st.integers(1, 255))
def test_bytes_that_are_damaged_or_cut_short_are_refused(place: int, flip: int) -> None:
    damaged = bytearray(KEPT)
    damaged[place] ^= flip
    with contextlib.suppress(ValueError):  # its digest tells whether it was damaged; here nothing worse may happen
        Snapshot.unpacked(bytes(damaged))
    with pytest.raises(ValueError, match="checkpoint: cannot be read"):
        Snapshot.unpacked(KEPT[:place])


def test_nothing_but_plain_arrays_is_read() -> None:
    written = io.BytesIO()
    np.savez(written, plain=np.array([{"code": print}], dtype=object))
    with pytest.raises(ValueError, match="checkpoint: cannot be read"):
        Snapshot.unpacked(written.getvalue())


def test_the_layout_of_checkpoints_stays_as_it_was() -> None:
    controller = fresh(LEARNING)
    served(controller, drawn_reports(40))
    snapshot = controller.snapshot()
    agent = snapshot.agent
    assert agent is not None
    groups = {"weights": agent.weights, "moments": agent.moments, "replay": agent.replay}
    plain = {
        "next_frame": 40,
        "random_state": snapshot.random_state,
        "agent": {"devices": 4, "candidates": agent.candidates, "winners": agent.winners, "frames": 40},
    }
    written = io.BytesIO()
    np.savez(
        written,
        data_queue_mbit=snapshot.queues.data_queue_mbit,
        energy_queue=snapshot.queues.energy_queue,
        **{f"{name}/{member}": values for name, group in groups.items() for member, values in group.items()},
        plain=np.frombuffer(json.dumps(plain).encode(), dtype=np.uint8),
    )
    assert Snapshot.unpacked(written.getvalue()).packed() == snapshot.packed()
    with np.load(io.BytesIO(written.getvalue())) as before, np.load(io.BytesIO(snapshot.packed())) as now:
        assert now.files == before.files
