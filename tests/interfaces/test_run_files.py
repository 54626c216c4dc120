from __future__ import annotations

from pathlib import Path

import pytest

from quedge.experiments import drawing
from quedge.experiments.comparison import compare
from quedge.interfaces.run_files import write_run
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal


def test_a_run_interrupted_while_it_is_written_leaves_no_summary_of_the_run_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = list(compare(Scenario(devices=2), {"all-local": AllLocal()}, frames=3))
    write_run(tmp_path, outcomes)
    assert (tmp_path / "summary.json").exists()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(drawing, "draw_runs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_run(tmp_path, outcomes)
    assert {path.name for path in tmp_path.iterdir()} == {"trace-all-local.parquet", "scenario.toml"}
