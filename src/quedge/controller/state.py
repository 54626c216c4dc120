"""Where a cell stands between two frames: its queues, and all else that its next answers depend on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quedge.controller.answer import Answer
from quedge.controller.report import Report
from quedge.model.cell import Cell
from quedge.model.frame import DATA_QUEUE_MBIT, Frame
from quedge.model.kernels import Floats, Ints, kernel
from quedge.policy.lydroo import AgentState
from quedge.policy.lydroo.archive import archive_of, parts_of

NO_SERVER = np.empty(0)
"""The queues at an edge server that takes no time."""

_HIGHEST_DATA_QUEUE_MBIT = DATA_QUEUE_MBIT.highest


class StateError(Exception):
    """The state on disk is damaged, incomplete, foreign or not this controller's; it is left as it is."""


def reason_of(error: Exception) -> str:
    """Why the state cannot be used, for others to read: a file's name without the folders that it is in."""
    if isinstance(error, OSError) and error.strerror:
        if not error.filename:
            return str(error.strerror)
        return f"{Path(error.filename).name}: {error.strerror}"
    if isinstance(error, StateError):
        file, _, what = str(error).partition(": ")
        return f"{Path(file).name}: {what}"
    return type(error).__name__


class QueueState(NamedTuple):
    """Both queues of every device between two frames, and the number of the next frame.

    Attributes:
        next_frame: number of the frame that comes next.
        data_queue_mbit: data queues of all devices as the last decisions left them (Mbit), shape (devices,).
        energy_queue: virtual energy queues of all devices, shape (devices,).
        server_queue_mbit: their queues at the edge server (Mbit), shape (devices,); of size 0 where that takes no time.
    """

    next_frame: int
    data_queue_mbit: NDArray[np.float64]
    energy_queue: NDArray[np.float64]
    server_queue_mbit: NDArray[np.float64] = NO_SERVER

    @classmethod
    def empty(cls, devices: int) -> QueueState:
        """The queues of a cell that begins."""
        return cls(0, np.zeros(devices), np.zeros(devices))

    def with_server(self) -> QueueState:
        """The same with queues at the edge server, which are empty where there were none."""
        if self.server_queue_mbit.size > 0:
            return self
        return self._replace(server_queue_mbit=np.zeros(self.data_queue_mbit.size))

    def widened(self, devices: int) -> QueueState:
        """The queues of as many devices or more: those added at the end have empty ones."""
        added = np.zeros(devices - self.data_queue_mbit.size)
        return QueueState(
            self.next_frame,
            np.concatenate((self.data_queue_mbit, added)),
            np.concatenate((self.energy_queue, added)),
            np.concatenate((self.server_queue_mbit, added)) if self.server_queue_mbit.size > 0 else NO_SERVER,
        )

    def frame(self, cell: Cell, report: Report) -> Frame:
        """The state of a frame: of the devices that reported, their queues with what arrived, or as measured."""
        queue, energy_queue = _queues_at_start(
            self.data_queue_mbit, self.energy_queue, report.devices, report.arrived_mbit, report.data_queue_mbit
        )
        return Frame(cell.only(report.devices), report.channel_gain, queue, energy_queue)

    def after(self, answer: Answer) -> QueueState:
        """The queues after a served frame, whose arrays are kept; a device that did not report keeps its own."""
        if answer.devices.size == self.data_queue_mbit.size:  # all of them, in order
            return QueueState(answer.frame + 1, answer.data_queue_mbit, answer.energy_queue, self.server_queue_mbit)
        data_queues, energy_queues = self.data_queue_mbit.copy(), self.energy_queue.copy()
        data_queues[answer.devices] = answer.data_queue_mbit
        energy_queues[answer.devices] = answer.energy_queue
        return QueueState(answer.frame + 1, data_queues, energy_queues, self.server_queue_mbit)


@kernel
def _queues_at_start(
    data_queues: Floats, energy_queues: Floats, devices: Ints, arrived_mbit: Floats, measured_mbit: Floats
) -> tuple[Floats, Floats]:
    """Both queues of the devices that reported, at the start of the frame."""
    data_queue_mbit, energy_queue = np.empty(devices.size), np.empty(devices.size)
    for i in range(devices.size):
        device, queue = devices[i], measured_mbit[i]
        if math.isnan(queue):
            queue = min(data_queues[device] + arrived_mbit[i], _HIGHEST_DATA_QUEUE_MBIT)
        data_queue_mbit[i], energy_queue[i] = queue, energy_queues[device]
    return data_queue_mbit, energy_queue


_AGENT_ARRAYS, _AGENT_VALUES = ("weights", "moments", "replay"), ("devices", "candidates", "winners", "frames")


class Snapshot(NamedTuple):
    """All that a controller's next answers depend on, between two frames.

    Attributes:
        queues: the cell's queues.
        random_state: state of the policy's random stream, as NumPy's bit generator gives it.
        agent: where a learning agent stands; None for a policy that does not learn.
    """

    queues: QueueState
    random_state: Mapping[str, Any]
    agent: AgentState | None

    def packed(self) -> bytes:
        """The snapshot as bytes, plain arrays and JSON, which `unpacked` reads back exactly."""
        plain: dict[str, Any] = {"next_frame": self.queues.next_frame, "random_state": self.random_state}
        parts: dict[str, Any] = {
            "data_queue_mbit": self.queues.data_queue_mbit,
            "energy_queue": self.queues.energy_queue,
        }
        if self.queues.server_queue_mbit.size > 0:
            parts["server_queue_mbit"] = self.queues.server_queue_mbit
        if self.agent is not None:
            agent = self.agent._asdict()
            parts |= {name: agent[name] for name in _AGENT_ARRAYS if agent[name]}
            plain["agent"] = {name: agent[name] for name in _AGENT_VALUES}
        parts["plain"] = np.frombuffer(json.dumps(plain).encode(), dtype=np.uint8)
        return bytes(archive_of(parts))

    @classmethod
    def unpacked(cls, data: bytes) -> Snapshot:
        """A snapshot that `packed` wrote; a ValueError where the bytes are none."""
        try:
            parts = parts_of(data)
            plain = json.loads(parts["plain"].tobytes())
            waiting = parts["data_queue_mbit"], parts["energy_queue"], parts.get("server_queue_mbit", NO_SERVER)
            queues = QueueState(int(plain["next_frame"]), *waiting)
            agent = None
            if "agent" in plain:
                values = {name: plain["agent"][name] for name in _AGENT_VALUES}
                agent = AgentState(**values, **{name: parts.get(name, {}) for name in _AGENT_ARRAYS})
            return cls(queues, plain["random_state"], agent)
        except Exception as error:  # an archive that is damaged raises what it likes
            raise ValueError(f"checkpoint: cannot be read: {error}") from None
