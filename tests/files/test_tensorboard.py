"""The course of a training, as TensorBoard reads it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from quedge.errors import MissingExtraError
from quedge.files import tensorboard
from quedge.files.tensorboard import TensorBoard
from quedge.simulation.training import TrainingReport

REPORTS = [TrainingReport(10, 4.0, 0.07, 900.0, 0.2, None, 10.0), TrainingReport(20, 5.0, 0.08, 950.0, 0.25, 0.5, 3.0)]


@pytest.mark.parametrize(
    "library", ["tensorboardX", pytest.param("torch", marks=pytest.mark.filterwarnings("ignore::DeprecationWarning"))]
)
def test_what_is_written_is_what_tensorboard_reads(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for needed in (library, "tensorboard"):
        pytest.importorskip(needed)
    if library == "torch":
        leave_out(monkeypatch, "tensorboardX")
    board = TensorBoard(tmp_path / "board")
    for report in REPORTS:
        board(report)
    board.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(tmp_path / "board")).Reload()
    assert sorted(read.Tags()["scalars"]) == sorted(f"train/{name}" for name in TrainingReport._fields[1:])
    queues = [(event.step, event.value) for event in read.Scalars("train/data_queue_mbit")]
    assert queues == [(10, 4.0), (20, 5.0)]
    assert [(event.step, event.value) for event in read.Scalars("train/loss")] == [(20, 0.5)]


def test_without_a_library_that_writes_it_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out(monkeypatch, "tensorboardX", "torch")
    with pytest.raises(MissingExtraError, match=r"needs tensorboardX, .*: pip install 'quedge\[tensorboard\]'"):
        TensorBoard(tmp_path / "board")
    assert not (tmp_path / "board").exists()


def leave_out(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """As if libraries were not installed."""
    found: Any = importlib.util.find_spec
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None if name in names else found(name))
