"""`quedge serve --shadow` as a process: a second policy decides beside, and its numbers are seen."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("grpc")

from prometheus_client.parser import text_string_to_metric_families

from quedge.controller.controller import Controller
from quedge.controller.report import checked_report
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from tests.cli.in_process import main_in
from tests.cli.test_cli_serve import answers, report
from tests.cli.test_cli_serve_state import Serving, serving, until

FRAMES = 12


def scraped(service: Serving) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(service.health("metrics")[1])
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def alone(policy: AllLocal | BestSingle) -> Controller:
    """A controller that has served the same frames without a shadow."""
    controller = Controller(Scenario(devices=3), policy)
    for frame in range(FRAMES):
        told = report(frame)
        controller.serve(checked_report(3, frame, told.channel_gain, told.arrived_mbit))
    return controller


def test_it_is_seen_beside_what_is_served_and_never_sent(tmp_path: Path) -> None:
    with serving(tmp_path, "--policy", "best-single", "--shadow", "all-local", "--state", "state") as service:
        answered = answers(service.port, range(FRAMES))
        until(lambda: scraped(service).get(("quedge_shadow_frames_total", "north", "policy")) == FRAMES)
        found = scraped(service)
        served, shadow = alone(BestSingle()).queues, alone(AllLocal()).queues
        assert list(answered[-1].data_queue_mbit) == served.data_queue_mbit.tolist()
        assert found["quedge_shadow_info", "all-local"] == 1
        assert found["quedge_shadow_would_be_data_queue_mean_bytes", "north"] == pytest.approx(
            125_000.0 * shadow.data_queue_mbit.mean()
        )
        assert found["quedge_shadow_would_be_energy_queue_mean", "north"] == pytest.approx(shadow.energy_queue.mean())
        assert found["quedge_shadow_dropped_total", "north"] == 0
        assert found["quedge_shadow_restarts_total", "north"] == 1
        with urllib.request.urlopen(service.web + "live.json") as reply:
            live = json.load(reply)
        assert live["service"]["shadow"] == "all-local"
        assert live["base_stations"][0]["shadow"]["frames"] == FRAMES
        assert service.until_told("started")["shadow"] == "all-local"
        service.ended()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--shadow", "all-local"), "--shadow: is not allowed without --metrics, where its numbers are seen"),
        (("--shadow", "exact", "--metrics", "127.0.0.1:0"), "--shadow: exact is what serves already"),
        (("--shadow", "nobody", "--metrics", "127.0.0.1:0"), "--shadow: 'nobody' is not allowed; it must be one of"),
        (
            ("--shadow", "equivariant", "--metrics", "127.0.0.1:0"),
            "--shadow equivariant: must be given --shadow-agent FILE, a trained agent",
        ),
        (("--shadow-agent", "none.npz", "--metrics", "127.0.0.1:0"), "none.npz"),
    ],
)
def test_a_shadow_that_makes_no_sense_is_refused_on_one_line(
    tmp_path: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    done = main_in(tmp_path, "serve", *arguments)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert complaint in done.stderr
