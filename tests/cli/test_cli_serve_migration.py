"""`quedge serve` as a process: a changed scenario is taken over by SIGHUP or at a start, with all queues kept."""

from __future__ import annotations

import signal
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

pytest.importorskip("grpc")

import quedge
from tests.cli.in_process import main_in
from tests.cli.test_cli_serve import QUEDGE
from tests.cli.test_cli_serve_state import Serving, serving, until

SCENARIO = ("cell.toml", "--policy", "best-single", "--state", "state")


def write(folder: Path, **keys: object) -> None:
    """The scenario's file: three devices, and these keys."""
    lines = [f"{name} = {value}" for name, value in ({"devices": 3} | keys).items()]
    (folder / "cell.toml").write_text("\n".join(lines))


def begun(folder: Path, *options: str) -> AbstractContextManager[Serving]:
    return serving(folder, *options, scenario=SCENARIO)


def client_of(service: Serving, name: str = "north") -> quedge.Client:
    return quedge.Client(f"127.0.0.1:{service.port}", name)


def serve(client: quedge.Client, frames: range, devices: int = 3) -> quedge.Decided:
    for frame in frames:
        decided = client.decide(frame, [1e-11] * devices, [30.0] * devices, devices=list(range(devices)))
    return decided


def standing(client: quedge.Client) -> tuple[int, list[float], list[float]]:
    state = client.state()
    assert state is not None
    return state.next_frame, state.data_queue_mbit.tolist(), state.energy_queue.tolist()


def told(service: Serving, event: str) -> int:
    return sum(line["event"] == event for line in service.events())


def hang_up(service: Serving, event: str) -> dict[str, object]:
    """Send SIGHUP, and wait for what the log says of it."""
    before = told(service, event)
    service.process.send_signal(signal.SIGHUP)
    until(lambda: told(service, event) > before)
    return [line for line in service.events() if line["event"] == event][-1]


def test_sighup_takes_a_changed_scenario_over_and_kill_9_loses_nothing_of_it(tmp_path: Path) -> None:
    write(tmp_path)
    with begun(tmp_path) as service, client_of(service) as north, client_of(service, "south") as south:
        serve(north, range(4))
        incarnation = serve(south, range(2)).incarnation
        assert hang_up(service, "reloaded")["changed"] == []
        (tmp_path / "cell.toml").write_text("devices = 3\nbandwidth_hz = 1e6")
        assert "bandwidth_hz: 1000000.0 is not allowed while queues are kept" in str(
            hang_up(service, "reload_refused")["reason"]
        )
        (tmp_path / "cell.toml").write_text("devices = [")
        assert "cell.toml" in str(hang_up(service, "reload_refused")["reason"])
        before = standing(north)
        serve(north, range(4, 5))
        write(tmp_path, devices=4, v=500.0, power_budget_w=0.02)
        assert hang_up(service, "reloaded")["changed"] == ["devices", "v", "power_budget_w", "distance_m"]
        until(lambda: told(service, "migrated") == 2)
        frame, queue, energy = standing(north)
        assert (frame, len(queue), queue[3], energy[3]) == (before[0] + 1, 4, 0.0, 0.0)
        decided = serve(north, range(5, 7), devices=4)
        assert decided.incarnation != incarnation
        assert serve(south, range(2, 3)).incarnation == incarnation  # three of the four devices report
        kept = standing(north), standing(south)
        metrics = service.health("metrics")[1]
        assert 'quedge_migrations_total{base_station="north"} 1.0' in metrics
        assert 'quedge_reloads_total{outcome="refused"} 2.0' in metrics
        assert 'quedge_power_budget_watts{base_station="north"} 0.02' in metrics
        service.killed()
    with begun(tmp_path) as service, client_of(service) as north, client_of(service, "south") as south:
        assert (standing(north), standing(south)) == kept
        serve(north, range(7, 9), devices=4)
        service.ended()
    stored = main_in(tmp_path, "state", "inspect", "state").stdout
    assert "north: frame 9 is due" in stored
    assert "migrated at frame 5" in stored


def refused(folder: Path, *options: str, scenario: tuple[str, ...] = SCENARIO) -> str:
    done = subprocess.run(
        [*QUEDGE, "serve", *scenario, "--listen", "127.0.0.1:0", *options],
        cwd=folder, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    return done.stderr.splitlines()[-1]  # a pause for compiling is told before it


def test_a_start_takes_over_what_was_served_under_another_scenario_if_it_is_told_to(tmp_path: Path) -> None:
    write(tmp_path)
    with begun(tmp_path) as service, client_of(service) as north:
        serve(north, range(6))
        before = standing(north)
        service.killed()  # all six frames are served once more, under the scenario of before
    write(tmp_path, nu=3.0, devices=5)
    assert "take it over with --migrate" in refused(tmp_path)
    write(tmp_path, noise_density_dbm_per_hz=-170.0)
    assert "north: cannot be taken over: noise_density_dbm_per_hz: -170.0 is not" in refused(tmp_path, "--migrate")
    write(tmp_path, nu=3.0, devices=5)
    for migrated in (1, 0):  # the second time there is nothing to take over
        with begun(tmp_path, "--migrate") as service, client_of(service) as north:
            assert service.until_told("restored")["next_frame"] == 6
            assert standing(north) == (6, before[1] + [0.0] * 2, before[2] + [0.0] * 2)
            assert told(service, "migrated") == migrated
            service.ended()


def test_a_start_takes_over_another_policys_queues_once_that_has_ended(tmp_path: Path) -> None:
    write(tmp_path)
    with begun(tmp_path) as service, client_of(service) as north:
        serve(north, range(6))
        service.killed()
    again = ("--migrate", "--policy", "all-local")
    shown = refused(tmp_path, *again, scenario=SCENARIO[:1] + SCENARIO[3:])
    assert "frame 0 of north is answered otherwise than it was; start and end it under what served it" in shown
    with begun(tmp_path) as service, client_of(service) as north:
        before = standing(north)
        service.ended()
    with serving(tmp_path, *again, scenario=SCENARIO[:1] + SCENARIO[3:]) as service, client_of(service) as north:
        assert standing(north) == before
        assert not serve(north, range(6, 7)).offload.any()
        service.ended()


def test_without_a_state_folder_sighup_keeps_the_queues_too(tmp_path: Path) -> None:
    write(tmp_path)
    with serving(tmp_path, scenario=SCENARIO[:3]) as service, client_of(service) as north:
        with north.device(0) as device:
            device.decide(1e-11, 30.0)
            before = standing(north)
            write(tmp_path, devices=4)
            hang_up(service, "migrated")
            with north.device(3) as added:  # while the others' streams go on
                assert added.decide(1e-11, 30.0).frame == 1
                assert device.decide(1e-11, 30.0).frame == 2
        assert len(standing(north)[1]) == len(before[1]) + 1
        assert service.process.poll() is None
    assert (
        "--migrate: is not allowed without --state"
        in subprocess.run(
            [*QUEDGE, "serve", "--migrate"], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
        ).stderr
    )
