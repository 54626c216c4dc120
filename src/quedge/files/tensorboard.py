"""The course of a training for TensorBoard, by tensorboardX or PyTorch, whichever is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from quedge.errors import MissingExtraError
from quedge.simulation.training import TrainingReport


class TensorBoard:
    """Writes reports of a training into a folder that TensorBoard reads; a hook for `train`."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, which is made where there is none; one that has events already goes on.

        Raises:
            MissingExtraError: neither tensorboardX nor PyTorch with TensorBoard is installed.
        """
        self._writer = _writer(folder)

    def __call__(self, report: TrainingReport) -> None:
        """Write every number of a report, at its number of frames."""
        for name, value in report._asdict().items():
            if name != "frames" and value is not None:
                self._writer.add_scalar(f"train/{name}", value, report.frames)

    def close(self) -> None:
        """Write what is waiting."""
        self._writer.close()


def _writer(folder: Path) -> Any:
    if find_spec("tensorboardX") is not None:
        from tensorboardX import SummaryWriter

        return SummaryWriter(str(folder))
    if find_spec("torch") is not None and find_spec("tensorboard") is not None:
        from torch.utils.tensorboard import SummaryWriter as TorchWriter

        return TorchWriter(str(folder))
    raise MissingExtraError("TensorBoard's files", "tensorboardX", "tensorboard")
