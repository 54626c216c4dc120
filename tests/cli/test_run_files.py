from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from quedge.cli.run import write_run
from quedge.experiments import figures
from quedge.files.traces import FORMATS
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.policy.exact import Exact
from quedge.simulation.run import compare


def test_a_trace_has_what_was_told_and_promised_where_that_differs_from_the_truth(tmp_path: Path) -> None:
    told = ("channel_estimate", "promised_rate_mbps", "promised_objective")
    for error in (0.0, 0.1):
        outcomes = list(compare(Scenario(devices=2, estimate_error=error), {"best-single": BestSingle()}, frames=5))
        write_run(tmp_path, outcomes, "parquet")
        table, trace = pq.read_table(tmp_path / "trace-best-single.parquet"), outcomes[0].trace
        np.testing.assert_array_equal(table["channel_gain"], trace.channel_gain.reshape(-1))
        assert all((name in table.column_names) == (error > 0.0) for name in told)
    np.testing.assert_array_equal(table["channel_estimate"], trace.channel_estimate.reshape(-1))
    np.testing.assert_array_equal(table["promised_rate_mbps"], trace.promised_rate_mbps.reshape(-1))
    np.testing.assert_array_equal(table["promised_objective"], np.repeat(trace.promised_objective, 2))


def test_a_trace_says_the_same_in_every_format(tmp_path: Path) -> None:
    outcomes = list(compare(Scenario(devices=2), {"exact": Exact()}, frames=5))
    for kind in FORMATS:
        write_run(tmp_path, outcomes, kind, figure=False)
    rows = pq.read_table(tmp_path / "trace-exact.parquet")
    text = pyarrow.csv.read_csv(tmp_path / "trace-exact.csv")
    with np.load(tmp_path / "trace-exact.npz") as arrays:
        assert rows.column_names == text.column_names == ["frame", "device", *arrays.files]
        for name in arrays.files:
            values = arrays[name] if arrays[name].ndim == 2 else np.repeat(arrays[name], 2)
            for table in (rows, text):
                np.testing.assert_array_equal(table[name].to_numpy(), values.reshape(-1), err_msg=name)
        assert arrays["rate_mbps"].shape == (5, 2)
    assert {str(status) for status in outcomes[0].trace.status} == set(text["status"].to_pylist())


def test_what_a_policy_does_not_tell_is_left_out_of_a_table(tmp_path: Path) -> None:
    outcomes = list(compare(Scenario(devices=2), {"all-local": AllLocal()}, frames=3))
    for kind in ("csv", "parquet"):
        write_run(tmp_path, outcomes, kind, figure=False)
    assert pyarrow.csv.read_csv(tmp_path / "trace-all-local.csv")["upper_bound"].null_count == 6
    assert pq.read_table(tmp_path / "trace-all-local.parquet")["upper_bound"].null_count == 6


def test_a_run_interrupted_while_it_is_written_leaves_no_summary_of_the_run_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = list(compare(Scenario(devices=2), {"all-local": AllLocal()}, frames=3))
    write_run(tmp_path, outcomes)
    assert (tmp_path / "summary.json").exists()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(figures, "draw_runs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_run(tmp_path, outcomes)
    assert {path.name for path in tmp_path.iterdir()} == {"trace-all-local.csv", "scenario.toml"}
