"""Training in parts."""

from __future__ import annotations

import numpy as np
import pytest

from quedge.model.scenario import Scenario
from quedge.policy.lydroo import Lydroo
from quedge.simulation.run import simulate
from quedge.simulation.trace import joined
from quedge.simulation.training import TrainingReport, begin_training, train, world_digest
from quedge.simulation.world import draw_world

pytest.importorskip("torch")

SMALL = Scenario(devices=4)
SETTINGS = Lydroo(batch=8, update_every=2)


@pytest.mark.parametrize("part", [1, 7, 50, 1000])
def test_a_training_equals_a_run_however_its_frames_are_parted(part: int) -> None:
    world = draw_world(SMALL, 100, seed=2)
    done, parts = zip(
        *((step.frames, trace) for step, trace in train(SMALL, begin_training(SETTINGS, SMALL, 2), world, 2, part)),
        strict=True,
    )
    assert done == tuple(min(end, 100) for end in range(part, 100 + part, part))
    trace, whole = joined(parts), simulate(SMALL, SETTINGS, frames=100, seed=2)
    for name in ("channel_gain", "data_queue_mbit", "offload", "transmit_power_w", "objective", "upper_bound"):
        np.testing.assert_array_equal(getattr(trace, name), getattr(whole, name), err_msg=name)
    assert trace.status == whole.status
    assert trace.notes.keys() == whole.notes.keys()
    for name, values in whole.notes.items():
        np.testing.assert_array_equal(trace.notes[name], values, err_msg=name)
    np.testing.assert_array_equal(trace.end.data_queue_mbit, whole.end.data_queue_mbit)
    assert trace.end.random_state == whole.end.random_state


def test_a_resumed_training_is_parted_where_the_uncut_one_is() -> None:
    world = draw_world(SMALL, 100, seed=2)
    cut, _ = next(train(SMALL, begin_training(SETTINGS, SMALL, 2), world, 2, 30))
    assert [step.frames for step, _ in train(SMALL, cut, world, 2, 40)] == [40, 80, 100]


def test_progress_counts_all_frames() -> None:
    done: list[int] = []
    world = draw_world(SMALL, 60, seed=2)
    for _ in train(SMALL, begin_training(SETTINGS, SMALL, 2), world, 2, 20, done.append):
        pass
    assert done == sorted(done)
    assert done[-1] == 60


def test_a_hook_is_told_of_every_part_before_it_is_handed_out() -> None:
    told: list[TrainingReport] = []
    world = draw_world(SMALL, 50, seed=2)
    for step, trace in train(SMALL, begin_training(SETTINGS, SMALL, 2), world, 2, 20, hook=told.append):
        report = told[-1]
        loss = trace.notes["loss"]
        assert report.frames == step.frames
        assert report.data_queue_mbit == trace.data_queue_mbit.mean()
        assert (report.power_w, report.offload_ratio) == (trace.power_w.mean(), trace.offload.mean())
        assert report.objective == trace.objective.mean()
        assert report.loss == pytest.approx(np.nanmean(loss))
        assert report.candidates == trace.notes["candidates"].mean()
    assert [each.frames for each in told] == [20, 40, 50]


def test_a_part_in_which_nothing_was_learned_has_no_loss() -> None:
    told: list[TrainingReport] = []
    world = draw_world(SMALL, 4, seed=2)
    list(train(SMALL, begin_training(SETTINGS, SMALL, 2), world, 2, hook=told.append))
    assert told[0].loss is None


def test_different_worlds_have_different_digests() -> None:
    worlds = [draw_world(SMALL, 50, seed) for seed in (1, 2)]
    worlds.append(worlds[0]._replace(arrival_mbit=worlds[0].arrival_mbit + 1e-12))
    assert len({world_digest(world) for world in worlds}) == 3
    assert world_digest(draw_world(SMALL, 50, 1)) == world_digest(worlds[0])
