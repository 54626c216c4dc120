from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from quedge.experiments import drawing
from quedge.experiments.comparison import compare
from quedge.interfaces.run_files import write_run
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle


def test_a_trace_has_what_was_told_and_promised_where_that_differs_from_the_truth(tmp_path: Path) -> None:
    told = ("channel_estimate", "promised_rate_mbps", "promised_objective")
    for error in (0.0, 0.1):
        outcomes = list(compare(Scenario(devices=2, estimate_error=error), {"best-single": BestSingle()}, frames=5))
        write_run(tmp_path, outcomes)
        table, trace = pq.read_table(tmp_path / "trace-best-single.parquet"), outcomes[0].trace
        np.testing.assert_array_equal(table["channel_gain"], trace.channel_gain.reshape(-1))
        assert all((name in table.column_names) == (error > 0.0) for name in told)
    np.testing.assert_array_equal(table["channel_estimate"], trace.channel_estimate.reshape(-1))
    np.testing.assert_array_equal(table["promised_rate_mbps"], trace.promised_rate_mbps.reshape(-1))
    np.testing.assert_array_equal(table["promised_objective"], np.repeat(trace.promised_objective, 2))


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
