"""The page on what security costs a cell: its numbers are those of costs and runs, in both of its forms."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from quedge.errors import MissingExtraError
from quedge.experiments import security_report
from quedge.experiments.security_report import Picture, Settings, Table, as_html, as_markdown, levels_of, report_of
from quedge.model.scenario import Scenario
from quedge.policy.exact import Exact
from quedge.pqc.costs import effort_of, traffic_of
from quedge.pqc.suite import SUITES
from quedge.simulation.run import simulate
from tests.cli.in_process import main_in

CELL, ASKED = Scenario(devices=2), Settings("stm32f411", 5.0, 100, 2)


@pytest.fixture
def without_solvers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any, **named: Any) -> None:
        raise MissingExtraError("the capacity region", "SciPy", "capacity")

    monkeypatch.setattr(security_report, "capacity", refuse)


@pytest.mark.usefixtures("without_solvers")
def test_its_numbers_are_those_of_costs_and_runs() -> None:
    levels = levels_of(CELL, ASKED)
    parts = report_of(CELL, ASKED, levels)
    costs, effects = [part for part in parts if isinstance(part, Table)][:2]
    assert [row[0] for row in effects.rows] == ["no security", "level1", "level3", "level5", "level3, hybrid"]
    level3 = costs.rows[2]
    suite = SUITES["level3"]
    assert level3[2] == f"{traffic_of(suite).rekey_bytes:,}"
    exchange = effort_of(suite, "stm32f411").power(0.0, 1.0).rekey
    assert level3[5] == f"{1e3 * exchange:.3g}"
    plain = [simulate(CELL, Exact(), 100, seed).summary().power_w for seed in range(2)]
    assert levels[0].power.mean == pytest.approx(sum(plain) / 2.0)
    assert effects.rows[0][5] == f"{5.0 * 3600.0 / levels[0].power.mean / 86400.0:.2f}"
    assert effects.rows[0][4] == "-"  # without SciPy no capacity is told, and none is made up
    assert levels[3].scenario.aead is None


@pytest.mark.usefixtures("without_solvers")
def test_a_scenario_keeps_its_framing_and_rekeying_at_every_level() -> None:
    scenario = Scenario(devices=2, suite="level1", device="stm32f411", rekey_frames=7)
    levels = levels_of(scenario, ASKED)
    assert [level.scenario.rekey_frames for level in levels] == [None, 7, 7, 7, 7]
    assert levels[4].scenario.kem == "X25519MLKEM768"


def test_both_forms_hold_every_part() -> None:
    parts = ["# Head & tail", Table(("a", "b"), [["x<y", "2"]]), Picture(b"png", "a picture"), "text"]
    page, text = as_html(parts), as_markdown(parts, lambda place: f"p-{place}.png")
    assert "<h1>Head &amp; tail</h1>" in page
    assert "<td>x&lt;y</td>" in page
    assert 'src="data:image/png;base64,cG5n"' in page
    assert text == "# Head & tail\n\n| a | b |\n|---|---|\n| x<y | 2 |\n\n![a picture](p-0.png)\n\ntext\n"


@pytest.mark.usefixtures("without_solvers")
def test_the_command_writes_a_page_with_its_pictures(tmp_path: Path) -> None:
    arguments = "pqc", "report", "--set", "devices=2", "--frames", "100", "--seeds", "2", "--out", "page.md"
    ended = main_in(tmp_path, *arguments)
    assert ended.returncode == 0, ended.stderr
    text = (tmp_path / "page.md").read_text()
    (picture,) = re.findall(r"\]\((page-0\.png)\)", text)
    assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
    assert "## Sources" in text
    assert "level5 ..." in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--out", "page.pdf"], "--out: 'page.pdf' is not allowed; it must be a file that ends in .html or .md"),
        (["--battery-wh", "0"], "--battery-wh: 0.0 is not allowed; it must be above 0"),
        (["--device", "nobody"], "--device: 'nobody' is not allowed"),
    ],
)
def test_a_bad_option_is_refused_by_name(arguments: list[str], told: str, tmp_path: Path) -> None:
    ended = main_in(tmp_path, "pqc", "report", *arguments)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert not list(tmp_path.iterdir())
