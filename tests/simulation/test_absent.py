"""Devices that come and go in a recording, whose data queues are kept, or dropped as they go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.policy.policy import Policy
from quedge.simulation import world
from quedge.simulation.delays import delay_distribution
from quedge.simulation.recordings.layout import Layout
from quedge.simulation.recordings.recording import Recording, read_recording
from quedge.simulation.run import run_in_parts, simulate
from quedge.simulation.trace import Trace, joined
from quedge.simulation.vector_cells.cells import VectorCells
from quedge.simulation.world import WorldInParts

SLOW = Scenario(devices=2, max_frequency_hz=1e7)
"""Its devices compute 0.1 Mbit a frame."""
AWAY = range(300, 400)
"""Frames in which device 1 is away."""
FRAMES = 600


def recording(folder: Path, absent: str, frames: int = FRAMES) -> Recording:
    rows = [f"{t},{i},1e-10,2.0\n" for t in range(frames) for i in range(2) if not (i == 1 and (t in AWAY or t == 500))]
    file = folder / "recording.csv"
    file.write_text("frame,device,channel_gain,arrival_mbit\n" + "".join(rows))
    return read_recording(file, layout=Layout(absent=absent))


def run(read: Recording, policy: Policy) -> Trace:
    return simulate(SLOW, policy, FRAMES, channel=read.channel, arrivals=read.arrivals)


def test_a_queue_that_is_kept_is_computed_meanwhile(tmp_path: Path) -> None:
    trace = run(recording(tmp_path, "keep"), AllLocal())
    assert trace.dropped_mbit is None
    assert (trace.arrival_mbit[AWAY, 1] == 0.0).all()
    np.testing.assert_allclose(np.diff(trace.data_queue_mbit[AWAY, 1]), -0.1)


@pytest.mark.parametrize("policy", [AllLocal(), BestSingle()], ids=repr)
def test_a_queue_that_is_dropped_is_empty_until_its_device_is_back(tmp_path: Path, policy: Policy) -> None:
    read = recording(tmp_path, "drop")
    trace = run(read, policy)
    assert trace.dropped_mbit is not None
    assert (trace.data_queue_mbit[AWAY, 1] == 0.0).all()
    assert np.argwhere(trace.dropped_mbit > 0.0).tolist() == [[300, 1], [500, 1]]
    kept = run(recording(tmp_path, "keep"), policy)
    assert trace.dropped_mbit[300, 1] == kept.data_queue_mbit[300, 1]
    np.testing.assert_array_equal(trace.data_queue_mbit[:300], kept.data_queue_mbit[:300])


def test_parts_of_a_run_drop_what_the_whole_run_drops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = recording(tmp_path, "drop")
    whole = run(read, BestSingle())
    monkeypatch.setattr(world, "_PART", 200)
    parts = joined(list(run_in_parts(BestSingle(), WorldInParts(SLOW, FRAMES, 0, read.channel, read.arrivals))))
    np.testing.assert_array_equal(parts.data_queue_mbit, whole.data_queue_mbit)
    np.testing.assert_array_equal(parts.dropped_mbit, whole.dropped_mbit)
    assert parts.summary().delay_p95_frames == whole.summary().delay_p95_frames


def test_bits_that_are_dropped_have_no_delay(tmp_path: Path) -> None:
    trace = run(recording(tmp_path, "drop"), AllLocal())
    assert trace.dropped_mbit is not None
    counted = trace.arrival_mbit.sum() - trace.dropped_mbit.sum()
    waiting = trace.end.data_queue_mbit.sum()
    assert counted == pytest.approx((trace.rate_mbps * SLOW.frame_s).sum() + waiting)
    shares = delay_distribution(trace)
    mbit = counted * np.diff(shares, prepend=0.0)
    assert mbit[300:].sum() < trace.arrival_mbit[:300, 0].sum()  # of device 0 alone: device 1 begins anew


def test_where_nothing_can_be_dropped_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="absent=drop is not allowed here; it must be absent=keep"):
        VectorCells(SLOW, 1, 10, channel=recording(tmp_path, "drop").channel)
