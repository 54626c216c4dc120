from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from quedge.cli.folder import write_run
from quedge.experiments import figures
from quedge.files.traces import FORMATS
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal, BestSingle
from quedge.policy.coordinate_descent import LyCd
from quedge.policy.exact import Exact
from quedge.policy.lydroo import Lydroo
from quedge.policy.policy import Learner, Policy
from quedge.simulation import world
from quedge.simulation.measures import outline_of, summarise
from quedge.simulation.run import run_in_parts, simulate
from quedge.simulation.trace import Trace
from quedge.simulation.world import WorldInParts


def written(trace: Trace, kind: str) -> io.BytesIO:
    file = io.BytesIO()
    with FORMATS[kind](file) as writer:
        writer.add(trace)
    file.seek(0)
    return file


def test_a_trace_has_what_was_told_and_promised_where_that_differs_from_the_truth() -> None:
    told = ("channel_estimate", "promised_rate_mbps", "promised_objective")
    for error in (0.0, 0.1):
        trace = simulate(Scenario(devices=2, estimate_error=error), BestSingle(), frames=5)
        table = pq.read_table(written(trace, "parquet"))
        np.testing.assert_array_equal(table["channel_gain"], trace.channel_gain.reshape(-1))
        assert all((name in table.column_names) == (error > 0.0) for name in told)
    np.testing.assert_array_equal(table["channel_estimate"], trace.channel_estimate.reshape(-1))
    np.testing.assert_array_equal(table["promised_rate_mbps"], trace.promised_rate_mbps.reshape(-1))
    np.testing.assert_array_equal(table["promised_objective"], np.repeat(trace.promised_objective, 2))


def test_a_trace_says_the_same_in_every_format() -> None:
    trace = simulate(Scenario(devices=2), Exact(), frames=5)
    rows = pq.read_table(written(trace, "parquet"))
    text = pyarrow.csv.read_csv(written(trace, "csv"))
    with np.load(written(trace, "npz")) as arrays:
        assert rows.column_names == text.column_names == ["frame", "device", *arrays.files]
        for name in arrays.files:
            values = arrays[name] if arrays[name].ndim == 2 else np.repeat(arrays[name], 2)
            for table in (rows, text):
                np.testing.assert_array_equal(table[name].to_numpy(), values.reshape(-1), err_msg=name)
        assert arrays["rate_mbps"].shape == (5, 2)
    assert {str(status) for status in trace.status} == set(text["status"].to_pylist())


def test_a_csv_trace_holds_the_same_numbers_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = simulate(Scenario(devices=2), BestSingle(), frames=40)
    fast = written(trace, "csv").read().decode().splitlines()
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pyarrow", None)
        without.setitem(sys.modules, "pyarrow.csv", None)
        plain = written(trace, "csv").read().decode().splitlines()
    assert fast[0] == plain[0]
    assert len(fast) == len(plain) == 81
    for one, other in zip(fast[1:], plain[1:], strict=True):
        pairs = list(zip(one.split(","), other.split(","), strict=True))
        numbers = [(a, b) for a, b in pairs if a not in ("", "ok")]
        assert [float(a) for a, _ in numbers] == [float(b) for _, b in numbers]
        assert [a for a, _ in pairs if a in ("", "ok")] == [b for _, b in pairs if b in ("", "ok")]


@pytest.mark.parametrize("policy", [LyCd(), Lydroo(batch=4, update_every=9)], ids=["lycd", "lydroo"])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_trace_written_in_parts_says_what_a_trace_written_at_once_says(
    policy: Policy | Learner, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = Scenario(devices=2, estimate_error=0.1, shadowing_db=3.0, doppler_hz=0.1)
    whole = written(simulate(scenario, policy, frames=50, seed=1), kind)
    monkeypatch.setattr(world, "_PART", 14)
    with (tmp_path / "trace").open("wb") as file, FORMATS[kind](file) as writer:
        for part in run_in_parts(policy, WorldInParts(scenario, 50, seed=1)):
            assert part.frames in (7, 1)
            writer.add(part)
    assert [path.name for path in tmp_path.iterdir()] == ["trace"]
    for name, values in columns_of(tmp_path / "trace", kind).items():
        if name != "decision_us":
            np.testing.assert_array_equal(values, columns_of(whole, kind)[name], err_msg=name)


def columns_of(file: Path | io.BytesIO, kind: str) -> dict[str, np.ndarray]:
    if isinstance(file, io.BytesIO):
        file.seek(0)
    if kind == "npz":
        with np.load(file) as arrays:
            return dict(arrays)
    table: pa.Table = pq.read_table(file) if kind == "parquet" else pyarrow.csv.read_csv(file)
    return {name: table[name].to_numpy() for name in table.column_names}


def test_a_note_that_first_comes_in_a_later_part_is_refused() -> None:
    early, late = (simulate(Scenario(devices=2), policy, frames=3) for policy in (AllLocal(), LyCd()))
    for kind in FORMATS:
        with FORMATS[kind](io.BytesIO()) as writer:
            writer.add(early)
            with pytest.raises(ValueError, match="rounds: the policy first notes it after frame 3"):
                writer.add(late)


def test_what_a_policy_does_not_tell_is_left_out_of_a_table() -> None:
    trace = simulate(Scenario(devices=2), AllLocal(), frames=3)
    assert pyarrow.csv.read_csv(written(trace, "csv"))["upper_bound"].null_count == 6
    assert pq.read_table(written(trace, "parquet"))["upper_bound"].null_count == 6


def test_a_run_interrupted_while_it_is_written_leaves_no_summary_of_the_run_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = simulate(Scenario(devices=2), AllLocal(), frames=3)
    run = trace.scenario, {"all-local": summarise(trace)}, {"all-local": outline_of(trace)}
    write_run(tmp_path, *run)
    assert (tmp_path / "summary.json").exists()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(figures, "draw_runs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_run(tmp_path, *run)
    assert {path.name for path in tmp_path.iterdir()} == {"scenario.toml"}
