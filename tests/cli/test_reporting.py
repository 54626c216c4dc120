from __future__ import annotations

import pytest

from quedge.cli import progress
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.simulation.run import simulate


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    summary = simulate(Scenario(devices=2), AllLocal(), frames=10).summary()
    progress.print_comparison({"cell [1]": {"all-local": summary}}, 0.5)
    return capsys.readouterr().out


def test_the_footnote_names_the_frames_that_were_measured(capsys: pytest.CaptureFixture[str]) -> None:
    printed = shown(capsys)
    assert "cell [1]: 2 devices, seed 0, frames 5 to 10, arrivals" in printed
    assert "left out" not in printed


def test_what_was_delivered_has_a_column_where_the_world_is_not_as_assumed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "delivered" not in shown(capsys)
    imperfect = Scenario(devices=2, estimate_error=0.3)
    summary = simulate(imperfect, BestSingle(), frames=10).summary()
    progress.print_comparison({"": {"best-single": summary}}, 0.5)
    printed = capsys.readouterr().out
    assert "delivered" in printed
    assert f"{summary.delivered_ratio:.4f}" in printed


def test_a_narrow_table_says_which_columns_it_leaves_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_PIPE_WIDTH", 100)
    told = " ".join(shown(capsys).split())
    assert "Columns left out at this width: delay frames, rate Mbit/s" in told
    assert "--json has them all" in told
