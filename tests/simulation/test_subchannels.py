"""Runs with sub-channels: worlds, traces and their files, and who is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import quedge
from quedge.controller.controller import Controller
from quedge.emulator.audit import Audit
from quedge.files.traces import FORMATS
from quedge.model.cell import cell_of
from quedge.model.frame import Decision, Frame
from quedge.policy.myopic import MyopicSaving
from quedge.simulation.columns import columns_of, quantities_of
from quedge.simulation.processes import Recorded
from quedge.simulation.recordings.recording import read_recording
from quedge.simulation.run import run_in_parts
from quedge.simulation.trace import Trace, joined
from quedge.simulation.vector_cells.cells import VectorCells
from quedge.simulation.world import WorldInParts, draw_world

FLAT = quedge.Scenario(devices=6, subchannels=3, group_size_max=2)
SELECTIVE = quedge.Scenario(devices=6, subchannels=3, group_size_max=2, frequency_selective=True, shadowing_db=4.0)


@pytest.fixture(scope="module")
def selective() -> Trace:
    return quedge.simulate(SELECTIVE, quedge.Ofdma(), 30, 1)


def test_sub_channels_that_fade_alike_leave_the_world_as_it_was() -> None:
    one, several = (draw_world(scenario, 20, 3) for scenario in (quedge.Scenario(devices=6), FLAT))
    np.testing.assert_array_equal(one.channel_gain, several.channel_gain)


def test_with_selective_fading_every_sub_channel_has_gains_of_its_own_around_the_same_mean() -> None:
    gain = draw_world(SELECTIVE, 4_000, 0).channel_gain
    assert gain.shape == (4_000, 6, 3)
    means = np.log(gain).mean(axis=0)
    assert means.std(axis=1).max() < 0.1  # shadowing and path loss are those of the device
    correlation = np.corrcoef(np.log(gain[:, 0]).T)
    assert 0.1 < correlation[0, 1] < 0.9  # the shadowing is common, the fading is not


@pytest.mark.parametrize("error", [0.0, 0.1])
def test_a_run_in_parts_is_the_run(error: float, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = quedge.Scenario(
        devices=6, subchannels=3, frequency_selective=True, estimate_error=error, residual_sic_share=0.01
    )
    whole = quedge.simulate(scenario, quedge.StrongWeak(), 40, 2)
    monkeypatch.setattr("quedge.simulation.world._PART", 6 * 7)
    parts = joined(list(run_in_parts(quedge.StrongWeak(), WorldInParts(scenario, 40, 2))))
    for name in ("channel_gain", "channel_estimate", "subchannel", "rate_mbps", "objective", "promised_objective"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    assert (whole.objective != whole.promised_objective).any() or error == 0.0


def test_a_trace_has_the_sub_channel_of_each_offloader(selective: Trace) -> None:
    assert selective.subchannel is not None
    np.testing.assert_array_equal(selective.subchannel >= 0, selective.offload)
    assert selective.subchannel.max() < 3
    assert quedge.simulate(quedge.Scenario(devices=3), quedge.Ofdma(), 5).subchannel is None
    for row in selective.subchannel:
        assert np.bincount(row[row >= 0], minlength=3).max() <= 1


def test_compiled_frames_are_those_that_python_asks_for() -> None:
    class Asked(quedge.Ofdma):
        """The same, but every decision is Python's."""

        def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
            return super().decide(frame, rng)

    one, other = (quedge.simulate(SELECTIVE, policy, 300, 0) for policy in (quedge.Ofdma(), Asked()))
    for name in ("subchannel", "transmit_power_w", "rate_mbps", "data_queue_mbit", "objective"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("scenario", [FLAT, SELECTIVE], ids=["flat", "selective"])
@pytest.mark.parametrize("kind", FORMATS)
def test_trace_files_read_back_the_same_world(scenario: quedge.Scenario, kind: str, tmp_path: Path) -> None:
    trace = quedge.simulate(scenario, quedge.RoundRobin(), 8, 1)
    path = tmp_path / f"trace.{kind}"
    with path.open("wb") as file, FORMATS[kind](file) as writer:
        writer.add(trace)
    read = read_recording(path)
    assert (read.frames, read.devices) == (8, 6)
    np.testing.assert_array_equal(read.channel_gain, trace.channel_gain)
    np.testing.assert_array_equal(read.arrival_mbit, trace.arrival_mbit)
    again = quedge.simulate(scenario, quedge.RoundRobin(), 8, 1, channel=read.channel, arrivals=read.arrivals)
    np.testing.assert_array_equal(again.subchannel, trace.subchannel)


def test_tables_have_a_row_for_each_sub_channel_that_fades_for_itself(selective: Trace) -> None:
    columns = columns_of(quantities_of(selective), 0)
    assert list(columns)[:3] == ["frame", "device", "subchannel"]
    assert {values.size for values in columns.values()} == {30 * 6 * 3}
    row = (4 * 6 + 2) * 3 + 1
    assert selective.subchannel is not None
    assert [columns[name][row] for name in ("frame", "device", "subchannel")] == [4, 2, 1]
    assert columns["channel_gain"][row] == selective.channel_gain[4, 2, 1]
    assert columns["offload_subchannel"][row] == selective.subchannel[4, 2]
    assert columns["objective"][row] == selective.objective[4]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["0,0,0,1e-9,1", "0,0,2,1e-9,1"], "subchannel: a gap after 0 is not allowed; the last one is 2"),
        (["0,0,0,1e-9,1", "0,0,1,-1,1"], r"channel_gain: -1.0 in frame 0, device 0 .*\(sub-channel 1\)"),
        (["0,0,0,1e-9,1", "0,0,1,1e-9,2"], "arrival_mbit: differs between the sub-channels of a device"),
        (["0,0,0,1e-9,1", "0,1,0,1e-9,1", "0,0,1,1e-9,1"], "subchannel: of other frames or devices"),
    ],
)
def test_recordings_of_sub_channels_that_are_wrong_are_refused(rows: list[str], told: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("\n".join(["frame,device,subchannel,channel_gain,arrival_mbit", *rows]))
    with pytest.raises(ValueError, match=told):
        read_recording(path)


def test_recorded_gains_of_another_number_of_sub_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"channel: shape \(5, 6, 2\) is not allowed; .*\(5, 6, 3\)"):
        quedge.simulate(FLAT, quedge.Ofdma(), 5, channel=Recorded(np.ones((5, 6, 2))))


@pytest.mark.parametrize(
    "policy",
    [quedge.Exact(), quedge.Auto(), quedge.BestPair(), quedge.AllOffload(), quedge.LyCd(), quedge.Lydroo(),
     quedge.EQUIVARIANT, MyopicSaving()],
    ids=lambda policy: type(policy).__name__,
)  # fmt: skip
def test_policies_that_assign_no_sub_channels_are_refused_by_name(policy: quedge.Policy) -> None:
    told = (
        f"subchannels: 3 is not allowed with {type(policy).__name__}, which assigns no sub-channels; it must be 1, or"
    )
    with pytest.raises(ValueError, match=told):
        quedge.simulate(FLAT, policy, 5)
    limited = quedge.Scenario(devices=4, group_size_max=2)
    with pytest.raises(ValueError, match=r"group_size_max: 2 is not allowed with .*; it must be left out, or"):
        quedge.simulate(limited, policy, 5)


def test_auto_assigns_them_where_its_policy_does() -> None:
    trace = quedge.simulate(FLAT, quedge.Auto(quedge.Ofdma()), 20)
    assert trace.subchannel is not None
    assert trace.offload.any()


def test_what_takes_all_offloaders_as_one_group_refuses_others() -> None:
    frame = Frame(cell_of(FLAT), np.full(6, 1e-9), np.ones(6), np.ones(6))
    for refused in (
        lambda: Controller(FLAT, quedge.ExactGroups()),
        lambda: Audit(FLAT, None),
        lambda: VectorCells(FLAT, 1, 10),
        lambda: quedge.NomaGreedy().allocate(frame, np.ones(6, np.bool_)),
        lambda: quedge.NomaSca().allocate(frame, np.ones(6, np.bool_)),
        lambda: quedge.Tdma().allocate(frame, np.ones(6, np.bool_)),
        lambda: quedge.FrameBudget().allocate(frame, np.ones(6, np.bool_)),
        lambda: quedge.Exact().decide(frame, np.random.default_rng(0)),
    ):
        with pytest.raises(ValueError, match=r"^subchannels: 3 is not allowed .*; it must be 1"):
            refused()
    pytest.importorskip("clarabel")
    with pytest.raises(ValueError, match=r"^subchannels: 3 is not allowed where the capacity is found; it must be 1"):
        quedge.capacity(FLAT)


class Deciding:
    """Has everybody offload without power, on sub-channels of its own."""

    assigns_subchannels = True

    def __init__(self, subchannel: object) -> None:
        self._subchannel = subchannel

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        nothing = np.zeros(frame.cell.devices)
        places = None if self._subchannel is None else np.array(self._subchannel)
        offload = np.ones(frame.cell.devices, np.bool_)
        return Decision(offload, nothing, nothing, nothing, nothing, 0.0, subchannel=places)


@pytest.mark.parametrize(
    ("subchannel", "told"),
    [
        ([0, 0, 1, 1, 2, 3], r"subchannel\[5\]: 3 is not allowed; it must be from 0 to 2"),
        ([0, 0, 1, 1, 2, -1], r"subchannel\[5\]: -1 is not allowed; it must be from 0 to 2"),
        ([0, 0, 1, 1, 1, 2], "subchannel: '3 devices on sub-channel 1' is not allowed; it must be at most 2 on each"),
        ([0, 1], r"subchannel: shape \(2,\) is not allowed"),
        (None, "subchannel: None is not allowed; it must be the sub-channel of each of 6 offloaders"),
    ],
)
def test_wrong_sub_channels_are_refused(subchannel: object, told: str) -> None:
    with pytest.raises(ValueError, match=f"decision of frame 0: {told}"):
        quedge.simulate(FLAT, Deciding(subchannel), 3)
    quedge.simulate(FLAT, Deciding([0, 0, 1, 1, 2, 2]), 3)


def test_the_share_of_the_optimum_is_that_of_the_bound() -> None:
    trace = quedge.simulate(FLAT, quedge.ExactGroups(), 12)
    ratio = (trace.objective[6:] / trace.upper_bound[6:]).mean()
    assert trace.summary().objective_ratio == pytest.approx(ratio)
    assert 0.99 < ratio <= 1.0
    other = quedge.simulate(FLAT, quedge.StrongWeak(), 12).summary()
    assert 0.3 < other.objective_ratio <= 1.0


def test_decide_takes_the_policy_that_the_cell_asks_for() -> None:
    state = np.full(6, 1e-9), np.full(6, 5.0), np.ones(6)
    assert quedge.decide(FLAT, *state).subchannel is not None
    assert quedge.decide(quedge.Scenario(devices=6), *state).subchannel is None
    with pytest.raises(ValueError, match="with Exact, which assigns no sub-channels"):
        quedge.decide(FLAT, *state, policy=quedge.Exact())


@pytest.mark.parametrize("selective", [False, True])
def test_an_edge_server_s_queues_weigh_on_every_sub_channel(selective: bool) -> None:
    scenario = quedge.Scenario(
        devices=6, subchannels=3, group_size_max=2, frequency_selective=selective, server_frequency_hz=4e8
    )
    trace = quedge.simulate(scenario, quedge.ExactGroups(), 300)
    assert trace.server_queue_mbit.max() > 0.0
    assert (trace.objective <= trace.upper_bound * (1.0 + 1e-9)).all()
    other = quedge.simulate(scenario, quedge.Ofdma(), 40).summary()
    assert 0.3 < other.objective_ratio <= 1.0


def test_batteries_limit_powers_where_gains_are_the_same_on_all_sub_channels() -> None:
    keys = {"devices": 6, "subchannels": 3, "battery_j": 0.2, "harvest_w": 0.05, "idle_power_w": 0.001}
    trace = quedge.simulate(quedge.Scenario(**keys), quedge.ExactGroups(), 300)  # type: ignore[arg-type]
    assert (trace.power_w <= trace.battery_j * (1.0 + 1e-9)).all()
    assert (trace.objective <= trace.upper_bound + 1e-9 * np.abs(trace.upper_bound)).all()
    told = "battery_j: is not allowed with gains that differ between sub-channels; leave out either"
    selective = quedge.Scenario(**keys, frequency_selective=True)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=told):
        quedge.simulate(selective, quedge.ExactGroups(), 5)
    state = np.full((6, 3), 1e-9), np.ones(6), np.ones(6)
    with pytest.raises(ValueError, match=told):
        quedge.decide(selective, *state, battery_j=np.full(6, 0.1))


@pytest.mark.parametrize("selective", [False, True])
def test_who_is_out_of_coverage_computes_locally(selective: bool) -> None:
    scenario = quedge.Scenario(devices=5, subchannels=2, group_size_max=2)
    gain = np.full((30, 5, 2) if selective else (30, 5), 1e-9)
    gain[:, 2] = 0.0
    if selective:
        gain[:, 1, 0] = 0.0
    for policy in (quedge.ExactGroups(), quedge.StrongWeak(), quedge.RoundRobin(), quedge.Ofdma()):
        trace = quedge.simulate(scenario, policy, 30, channel=Recorded(gain))
        assert trace.subchannel is not None
        assert trace.offload[:, [0, 1, 3, 4]].any()
        assert not trace.offload[:, 2].any()
        assert not (trace.subchannel[:, 1] == 0).any() or not selective


def test_several_cells_and_fixed_rates_have_no_sub_channels() -> None:
    with pytest.raises(ValueError, match="rate_adaptation: False is not allowed with several sub-channels"):
        quedge.Scenario(devices=6, rate_adaptation=False, subchannels=2)
    with pytest.raises(ValueError, match="subchannels: 2 is not allowed with several cells; leave it out"):
        quedge.Scenario(devices=6, cells=2, subchannels=2)
