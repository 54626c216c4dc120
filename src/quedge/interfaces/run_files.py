"""The folder that a run leaves: its summary, traces, scenario and figure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from quedge.experiments.comparison import Outcome
from quedge.experiments.whole_file import check_folder_takes_files, whole_file
from quedge.interfaces.scenario_file import write_scenario
from quedge.simulation.measures import Summary
from quedge.simulation.trace import Trace

_SUMMARY, _SCENARIO, _FIGURE = "summary.json", "scenario.toml", "figure.png"


def summary_object(name: str, summary: Summary) -> dict[str, Any]:
    """A policy's summary as a JSON object, the policy's name first."""
    return {"policy": name, **dataclasses.asdict(summary)}


def check_folder(folder: Path, names: Sequence[str]) -> None:
    """Refuse a folder that `write_run` could not fill, before a long run rather than after it.

    Args:
        folder: the folder; it need not exist.
        names: the policies that will run.

    Raises:
        ValueError: it is a file, it cannot be made or written to, a folder stands where a file must go, or it
            holds another run's trace that would stay among this run's files.
    """
    check_folder_takes_files(folder)
    traces = [_trace_name(name) for name in names]
    for name in (_SUMMARY, _SCENARIO, _FIGURE, *traces):
        if (folder / name).is_dir():
            raise ValueError(f"{folder / name}: is a folder; a file must go there")
    stale = {path.name for path in folder.glob("trace-*.parquet")} - set(traces)
    if stale:
        raise ValueError(f"{folder / min(stale)}: belongs to another run; choose another folder or remove it")


def write_run(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Write a run's files into a folder, each as a whole or not at all.

    `summary.json` holds a list with one object a policy, `trace-<policy>.parquet` one row a frame and device,
    `scenario.toml` the scenario, and `figure.png` queues, power and offloading over time. A trace can be
    played back as a recording of channel gains and arrivals.

    Args:
        folder: where to write; made where it does not exist.
        outcomes: the policies' runs of the same scenario, at least one.

    Raises:
        OSError: the folder cannot be written to.
    """
    from quedge.experiments.drawing import Runs, draw_runs

    folder.mkdir(parents=True, exist_ok=True)
    # The summary goes first and comes last: where one stands, all that stands beside it belongs to it.
    for name in (_SUMMARY, _FIGURE):
        (folder / name).unlink(missing_ok=True)
    for outcome in outcomes:
        _write_trace(outcome.trace, folder / _trace_name(outcome.name))
    write_scenario(outcomes[0].trace.scenario, folder / _SCENARIO)
    with whole_file(folder / _FIGURE) as file:
        draw_runs([Runs("", {outcome.name: outcome.trace for outcome in outcomes})], file)
    objects = [summary_object(outcome.name, outcome.summary) for outcome in outcomes]
    with whole_file(folder / _SUMMARY) as file:
        file.write((json.dumps(objects, indent=2, allow_nan=False) + "\n").encode())


def _trace_name(policy: str) -> str:
    return f"trace-{policy.replace(':', '-')}.parquet"  # of a policy of one's own, module:attribute


def _write_trace(trace: Trace, path: Path) -> None:
    """Write a trace in long format; what belongs to a frame stands in each of its rows.

    What the policy was told and promised has columns of its own where the world is not as it assumes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    frames, devices = trace.rate_mbps.shape
    columns: dict[str, Any] = {
        "frame": np.repeat(np.arange(frames, dtype=np.int32), devices),
        "device": np.tile(np.arange(devices, dtype=np.int32), frames),
    }
    for name in (
        "channel_gain", "arrival_mbit", "data_queue_mbit", "energy_queue", "offload", "transmit_power_w", "time_share",
        "cpu_frequency_hz", "rate_mbps", "power_w",
    ):  # fmt: skip
        columns[name] = getattr(trace, name).reshape(-1)
    columns["objective"] = np.repeat(trace.objective, devices)
    if trace.promised_objective is not trace.objective:
        columns["channel_estimate"] = trace.channel_estimate.reshape(-1)
        columns["promised_rate_mbps"] = trace.promised_rate_mbps.reshape(-1)
        columns["promised_objective"] = np.repeat(trace.promised_objective, devices)
    # a policy without a bound leaves the column empty rather than NaN
    columns["upper_bound"] = pa.array(np.repeat(trace.upper_bound, devices), from_pandas=True)
    columns["status"] = np.repeat([str(status) for status in trace.status], devices)
    for name, values in trace.notes.items():
        columns[f"policy_{name}"] = pa.array(np.repeat(values, devices), from_pandas=True)
    columns["decision_us"] = np.repeat(trace.decision_us, devices)
    with whole_file(path) as file:
        pq.write_table(pa.table(columns), file, compression="zstd")
