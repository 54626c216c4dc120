from __future__ import annotations

import dataclasses
import itertools
import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from quedge.allocation.tdma import Tdma
from quedge.cli.emulate import emulate_devices
from quedge.cli.usage import UsageError
from quedge.model.scenario import Scenario
from quedge.policy.exact import Exact
from quedge.policy.lydroo import EQUIVARIANT, Lydroo
from quedge.simulation.run import simulate
from quedge.simulation.world import draw_world
from tests.service.service_under_test import SCENARIO, Service, mute

pytest.importorskip("grpc")

from quedge.emulator.audit import Audit, Findings
from quedge.emulator.emulate import Target, Workload, emulate, workload_of
from quedge.emulator.stations import Reports
from quedge.service import quedge_pb2 as pb
from quedge.service import translate
from quedge.service.client.client import Client
from quedge.service.client.messages import Decided
from quedge.service.member_reports import DeviceReports

NUMBERS = itertools.count()
FAST_HZ = 1e4
BOTH = pytest.mark.parametrize("as_base_station", [False, True], ids=["devices", "base-station"])


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(deadline_s=0.004) as running:
        yield running


@pytest.fixture
def target(service: Service) -> Target:
    """A base station of the test's own, as fast as it goes."""
    return Target(service.target, f"cell-{next(NUMBERS)}", rate_hz=FAST_HZ)


def workload(frames: int = 100, scenario: Scenario = SCENARIO, loss: float = 0.0, churn: float = 0.0) -> Workload:
    return workload_of(draw_world(scenario, frames, 5), 5, loss, churn)


def test_a_workload_loses_and_sends_away_the_shares_that_were_asked_for() -> None:
    played = workload(20_000, loss=0.2, churn=0.01)
    present = ~played.away
    assert not (played.lost & played.away).any()
    assert played.lost[present].mean() == pytest.approx(0.2, abs=0.01)
    leaves = played.away[1:] & ~played.away[:-1]
    assert leaves.sum() / present[:-1].sum() == pytest.approx(0.01, abs=0.002)
    lasts = played.away.sum() / (leaves.sum() + played.away[0].sum())
    assert lasts == pytest.approx(10.5, rel=0.1)


def test_the_same_seed_gives_the_same_workload() -> None:
    for one, other in zip(workload(loss=0.3, churn=0.1)[1:], workload(loss=0.3, churn=0.1)[1:], strict=True):
        np.testing.assert_array_equal(one, other)


@BOTH
@pytest.mark.parametrize(("loss", "churn"), [(0.0, 0.0), (0.1, 0.0), (0.1, 0.03)])
def test_an_honest_service_violates_nothing(target: Target, as_base_station: bool, loss: float, churn: float) -> None:
    played = workload(300, loss=loss, churn=churn)
    target = dataclasses.replace(target, as_base_station=as_base_station)
    found = emulate(SCENARIO, played, target)
    assert found.described == ()
    assert (found.violations, found.trouble, found.refused, found.interrupted) == (0, "", {}, False)
    assert (found.frames, found.lost, found.away) == (300, played.lost.sum(), played.away.sum())
    assert found.answered == (~(played.lost | played.away)).any(axis=1).sum()
    reports = found.answered if as_base_station else 900 - found.lost - found.away
    assert found.reports == reports
    assert found.served_frames >= found.answered
    times = found.round_trip_ms
    assert 0.0 < times["p50"] <= times["p95"] <= times["p99"] <= times["max"]


@BOTH
def test_a_run_goes_on_where_an_earlier_one_left_the_cell(target: Target, as_base_station: bool) -> None:
    target = dataclasses.replace(target, as_base_station=as_base_station)
    for _ in range(2):
        found = emulate(SCENARIO, workload(), target)
        assert (found.violations, found.answered) == (0, 100)


@pytest.mark.parametrize("policy", [Lydroo(allocator=Tdma()), EQUIVARIANT])
def test_learners_and_time_division_violate_nothing_either(policy: Lydroo) -> None:
    with Service(policy=policy, deadline_s=60.0) as learning:  # every frame closes since all have reported
        for name, as_base_station in (("devices", False), ("base-station", True)):
            target = Target(learning.target, name, rate_hz=FAST_HZ, as_base_station=as_base_station)
            found = emulate(SCENARIO, workload(150), target)
            assert (found.violations, found.described, found.answered) == (0, (), 150)


def test_gateways_get_the_simulations_decisions_however_they_share_the_devices() -> None:
    alone = simulate(SCENARIO, Exact(), 50, seed=5)
    with Service(deadline_s=60.0) as service:  # every frame closes since all have reported
        for gateways in (1, 2, 3):
            target = Target(service.target, f"gateways-{gateways}", rate_hz=FAST_HZ, gateways=gateways)
            found = emulate(SCENARIO, workload(50), target)
            assert (found.violations, found.described, found.answered, found.refused) == (0, (), 50, {})
            assert found.reports == 50 * gateways
            with Client(service.target, target.base_station) as client:
                state = client.state()
            assert state is not None
            sent = alone.end.data_queue_mbit - alone.arrival_mbit[-1]  # what arrived last is not reported yet
            np.testing.assert_allclose(state.data_queue_mbit, sent, rtol=1e-9, atol=1e-9)


def test_gateways_whose_devices_leave_or_lose_reports_violate_nothing(target: Target) -> None:
    played = workload(200, loss=0.1, churn=0.03)
    found = emulate(SCENARIO, played, dataclasses.replace(target, gateways=2))
    assert (found.violations, found.described, found.trouble, found.refused) == (0, (), "", {})


def test_estimates_are_reported_and_an_imperfect_scenario_violates_nothing(
    service: Service, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = workload(scenario=dataclasses.replace(SCENARIO, estimate_error=0.2, residual_sic_share=0.1))
    reported: list[np.ndarray] = []
    check = Audit.check

    def listening(self: Audit, reports: Reports, decided: Decided) -> None:
        reported.append(reports.channel_gain)
        check(self, reports, decided)

    monkeypatch.setattr(Audit, "check", listening)
    found = emulate(SCENARIO, played, dataclasses.replace(target, as_base_station=True))
    assert (found.violations, found.answered) == (0, 100)
    np.testing.assert_array_equal(reported, played.world.estimated_gain)
    assert (played.world.estimated_gain != played.world.channel_gain).all()


def test_a_secured_scenario_violates_nothing() -> None:
    scenario = Scenario(devices=3, suite="level3", device="stm32f411")
    with Service(scenario, deadline_s=0.004) as secured:
        found = emulate(scenario, workload(scenario=scenario), Target(secured.target, rate_hz=FAST_HZ))
    assert (found.violations, found.answered) == (0, 100)


def test_many_devices_each_with_a_stream() -> None:
    scenario = Scenario(devices=40)
    with Service(scenario, deadline_s=0.05) as wide:
        found = emulate(scenario, workload(20, scenario, 0.01, 0.01), Target(wide.target, rate_hz=FAST_HZ))
    assert (found.violations, found.answered) == (0, 20)


def test_the_rate_is_kept(target: Target) -> None:
    found = emulate(SCENARIO, workload(30), dataclasses.replace(target, rate_hz=100.0, as_base_station=True))
    assert found.rate_hz <= 100.0 * 30 / 29 + 1.0  # the last frame ends as its own time begins


def _scaled(name: str, factor: float) -> Callable[[Any], None]:
    def lie(answer: Any) -> None:
        value = getattr(answer, name)
        if isinstance(value, float):
            setattr(answer, name, value * factor)
        else:
            value[:] = [each * factor for each in value]

    return lie


def _everywhere(name: str, told: Any) -> Callable[[Any], None]:
    def lie(answer: Any) -> None:
        value = getattr(answer, name)
        if isinstance(value, (bool, float)):
            setattr(answer, name, told)
        else:
            value[:] = [told] * len(value)

    return lie


LIES = [
    ("transmit_power_w", _everywhere("transmit_power_w", 1e3)),
    ("cpu_frequency_hz", _everywhere("cpu_frequency_hz", 1e12)),
    ("cpu_frequency_hz", _everywhere("cpu_frequency_hz", -1.0)),
    ("transmit_power_w|cpu_frequency_hz", lambda answer: _everywhere("offload", True)(answer)),
    ("rate_mbps", _scaled("rate_mbps", 0.99)),
    ("rate_mbps", _scaled("rate_mbps", 100.0)),
    ("power_w", _scaled("power_w", 1.01)),
    ("data_queue_mbit", _scaled("data_queue_mbit", 1.001)),
    ("energy_queue", _everywhere("energy_queue", 1e3)),
    ("energy_queue", _everywhere("energy_queue", float("nan"))),
]


@BOTH
@pytest.mark.parametrize(("field", "lie"), LIES)
def test_a_lie_is_caught_and_named(
    target: Target, as_base_station: bool, field: str, lie: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    _lying(monkeypatch, lie)
    found = emulate(SCENARIO, workload(20), dataclasses.replace(target, as_base_station=as_base_station))
    assert 0 < found.violations <= found.served_frames
    assert len(found.described) <= 5
    assert any(name in found.described[0] for name in field.split("|"))
    assert found.described[0].startswith("frame ")


@pytest.mark.parametrize(
    ("field", "lie"),
    [
        ("objective", _scaled("objective", 1.5)),
        ("upper_bound", lambda answer: setattr(answer, "upper_bound", answer.objective - 1.0)),
        ("devices", lambda answer: answer.devices.__setitem__(0, 2)),
        ("devices", lambda answer: answer.devices.__setitem__(2, 10**6)),
        ("rate_mbps", lambda answer: answer.rate_mbps.append(1.0)),
        ("time_share", lambda answer: answer.time_share.extend([0.9, 0.9, 0.9])),
        ("was due", lambda answer: setattr(answer, "frame", answer.frame + 7)),
    ],
)
def test_a_base_station_catches_what_devices_are_not_told(
    target: Target, field: str, lie: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    _lying(monkeypatch, lie)
    found = emulate(SCENARIO, workload(20), dataclasses.replace(target, as_base_station=True))
    assert found.violations > 0
    assert field in found.described[0]


def test_one_lie_counts_once(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def lie(answer: pb.FrameAnswer) -> None:
        if answer.frame == 3:
            answer.data_queue_mbit[1] += 1.0

    _lying(monkeypatch, lie)
    found = emulate(SCENARIO, workload(20), dataclasses.replace(target, as_base_station=True))
    assert found.violations == 2  # the frame of the lie, and the next one, which does not follow from it
    assert [text.split(":")[0] for text in found.described] == ["frame 3", "frame 4"]


def _lying(monkeypatch: pytest.MonkeyPatch, lie: Callable[[Any], None]) -> None:
    for place in (translate, DeviceReports):
        honest = place.answer_of

        def dishonest(*told: Any, honest: Callable[..., Any] = honest, place: Any = place) -> Any:
            answer = honest(*told)
            if place is translate:
                answer = pb.FrameAnswer.FromString(answer.SerializeToString())
            lie(answer)
            return answer

        monkeypatch.setattr(place, "answer_of", dishonest)


@BOTH
def test_refusals_are_counted_and_their_data_reported_again(
    target: Target, as_base_station: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quedge.controller.engine import Engine
    from quedge.controller.report import Reason, ReportRejected

    proper, turns = Engine.submit, itertools.count()

    def sometimes(self: Engine, report: Any, done: Any) -> None:
        if next(turns) % 5 == 4:
            done(ReportRejected(Reason.OVERLOADED, "frame", "as the test has it"))
        else:
            proper(self, report, done)

    monkeypatch.setattr(Engine, "submit", sometimes)
    found = emulate(SCENARIO, workload(), dataclasses.replace(target, as_base_station=as_base_station))
    assert found.violations == 0
    assert set(found.refused) == {"OVERLOADED"}
    assert 0 < found.answered < 100


def test_a_name_that_is_taken_is_counted_and_nothing_is_answered(target: Target, service: Service) -> None:
    from quedge.service.client.client import Client

    with Client(service.target, target.base_station) as other, other.stream() as frames:
        frames.decide(0, [1e-10] * 3, [1.0] * 3)
        found = emulate(SCENARIO, workload(10), target)
    assert (found.answered, found.refused, found.violations) == (0, {"NAME_TAKEN": 30}, 0)


def test_a_cell_of_another_size_is_told(target: Target) -> None:
    emulate(SCENARIO, workload(2), target)
    other = Scenario(devices=4)
    found = emulate(other, workload(2, other), target)
    assert "3 devices and the emulation 4" in found.trouble
    assert found.frames == 0


def test_ctrl_c_ends_it_with_what_was_found_so_far(target: Target) -> None:
    found = emulate(SCENARIO, workload(10_000), target, _at(20, lambda: signal.raise_signal(signal.SIGINT)))
    assert found.interrupted
    assert 20 <= found.frames < 10_000
    assert (found.violations, found.trouble) == (0, "")


@BOTH
def test_a_service_that_ends_midway_is_told_with_what_was_found_so_far(as_base_station: bool) -> None:
    with Service(deadline_s=0.004) as ending:
        target = Target(ending.target, rate_hz=FAST_HZ, as_base_station=as_base_station)
        found = emulate(
            SCENARIO, workload(10_000), target, _at(20, lambda: ending._loop.call_soon_threadsafe(ending._task.cancel))
        )
    assert found.trouble.startswith(ending.target)
    assert 20 <= found.frames < 10_000
    assert (found.violations, found.interrupted) == (0, False)


def _at(frame: int, act: Callable[[], object]) -> Callable[[int], None]:
    def progress(done: int) -> None:
        if done == frame:
            act()

    return progress


@BOTH
def test_offloaders_upload_records_of_the_predicted_size(target: Target, as_base_station: bool) -> None:
    pytest.importorskip("cryptography")
    from quedge.pqc.suite import SUITES
    from quedge.pqc.uplink.algorithms import live_suite

    suite = dataclasses.replace(SUITES["level3"], rekey_frames=7, sign_every_frame=True)
    target = dataclasses.replace(target, live=live_suite(suite), as_base_station=as_base_station, rate_hz=500.0)
    found = emulate(SCENARIO, workload(60), target)
    secured = found.secured
    assert secured is not None
    assert (found.violations, secured.violations, secured.rejected, secured.left_out) == (0, 0, 0, 0)
    assert secured.uploads > 10
    assert secured.payload_factor == secured.payload_factor_predicted
    assert secured.payload_factor is not None
    assert 0.0 < secured.payload_factor < 1.0


def test_an_upload_of_another_size_than_predicted_is_a_violation(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cryptography")
    from quedge.emulator import uploads
    from quedge.pqc.suite import SUITES
    from quedge.pqc.uplink.algorithms import live_suite

    monkeypatch.setattr(uploads, "frame_bytes", lambda traffic, payload, exchanged: payload)
    found = emulate(
        SCENARIO, workload(20), dataclasses.replace(target, live=live_suite(SUITES["level3"]), rate_hz=200.0)
    )
    assert found.secured is not None
    assert found.violations == found.secured.violations == found.secured.uploads > 0
    assert "bytes arrived" in found.described[0]


def told(*arguments: str) -> tuple[int, str, str, BaseException | None]:
    """Exit status, output, complaints and what was raised of `quedge emulate`."""
    app = typer.Typer()
    app.command()(emulate_devices)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr, result.exception


def test_the_command_gives_one_json_object(target: Target) -> None:
    status, output, complaints, _ = told(
        "--connect", target.address, "--base-station", target.base_station, "--devices", "3", "--frames", "100",
        "--rate", "1000", "--loss", "0.02", "--churn", "0.01", "--seed", "1", "--json",
    )  # fmt: skip
    found = json.loads(output)
    assert (status, complaints) == (0, "")
    assert (found["frames"], found["violations"], found["trouble"]) == (100, 0, "")
    assert found["answered"] + (found["lost"] + found["away"] == 300) == 100
    assert found["round_trip_ms_p50"] <= found["round_trip_ms_p99"] <= found["round_trip_ms_max"]
    assert set(found) >= {"lost", "refused", "late", "fallback", "round_trip_ms_p95", "rate_achieved_hz"}


def test_the_command_plays_recordings_and_reports_secured_bytes(target: Target, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    file = tmp_path / "walk.csv"
    rows = [f"{t},{n},{1e-10 * (1 + n)},{1.0 + t % 3}" for t in range(12) for n in range(3)]
    file.write_text("\n".join(["frame,device,channel_gain,arrival_mbit", *rows]))
    status, output, _, _ = told(
        "--connect", target.address, "--base-station", target.base_station, "--as-base-station", "--channel-trace",
        str(file), "--arrival-trace", str(file), "--pqc", "level3", "--pqc-share", "0.1", "--json",
    )  # fmt: skip
    found = json.loads(output)
    assert (status, found["frames"], found["answered"], found["secured_rejected"]) == (0, 12, 12, 0)
    assert found["secured_bytes"] > found["secured_task_bytes"] > 0
    assert found["secured_payload_factor"] == found["secured_payload_factor_predicted"]


def test_the_command_tells_people_in_lines(target: Target) -> None:
    status, output, _, _ = told(
        "--connect", target.address, "--base-station", target.base_station, "--set", "devices=3", "--frames", "20"
    )
    assert status == 0
    assert "20 frames of 3 devices" in output
    assert "ms p99" in output


def test_a_violation_is_status_1_and_told(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    _lying(monkeypatch, _scaled("power_w", 2.0))
    status, _, complaints, _ = told(
        "--connect", target.address, "--base-station", target.base_station, "--as-base-station", "--devices", "3",
        "--frames", "5", "--json",
    )  # fmt: skip
    assert status == 1
    assert "quedge: frame 1: power_w" in complaints  # in frame 0 all queues are empty, and nobody draws power


def test_a_service_that_is_not_there_is_status_1_in_one_line() -> None:
    status, output, complaints, _ = told("--connect", "127.0.0.1:1", "--json")
    assert status == 1
    assert complaints == "quedge: 127.0.0.1:1: nothing listens there; is the service running?\n"
    assert json.loads(output)["answered"] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--connect", "nowhere"],
        ["--connect", "127.0.0.1:0"],
        ["--connect", "127.0.0.1:99999"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--loss", "1"],
        ["--churn", "-0.1"],
        ["--devices", "0"],
        ["--frames", "x"],
        ["--pqc-share", "2"],
        ["--pqc", "level9"],
        ["--set", "devices=none"],
        ["--ca", "/nowhere.pem"],
        ["--cert", "/nowhere.pem"],
    ],
)
def test_bad_use_is_refused_before_anything_is_asked(arguments: list[str]) -> None:
    status, output, _, raised = told("--connect", "127.0.0.1:1", *arguments)
    assert status == 2 or isinstance(raised, UsageError)
    assert output == ""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--ca", "/nowhere.pem"], "--ca: /nowhere.pem: cannot be read: No such file or directory"),
        (["--cert", "/nowhere.pem"], "--cert, --key: are not allowed without --ca, by which the service is known"),
    ],
)
def test_tls_files_are_refused_by_option(arguments: list[str], complaint: str) -> None:
    assert str(told("--connect", "127.0.0.1:1", *arguments)[3]) == complaint


def test_a_silent_service_is_given_up_in_time() -> None:
    with mute() as target:
        status, _, complaints, _ = told("--connect", target, "--json")
    assert status == 1
    assert complaints.startswith(f"quedge: {target}: ")
    assert complaints.count("\n") == 1


def test_the_command_line_stands_without_grpc() -> None:
    import subprocess

    program = "import sys, quedge.cli.emulate; print('grpc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_findings_are_plain_values(target: Target) -> None:
    found = emulate(SCENARIO, workload(3), target)
    assert isinstance(found, Findings)
    json.dumps(dataclasses.asdict(found))
