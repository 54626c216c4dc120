"""The frames of a cell whose members report for themselves, settled one after the other against a run in one piece."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.service.chaos.arena import Arena
from benchmarks.service.chaos.child import UnplannedError
from benchmarks.service.chaos.members import VALUES, Heard, Part
from benchmarks.service.chaos.replay import Replay
from quedge.controller.answer import Answer, ServedBy
from quedge.controller.records import Entry
from quedge.controller.report import Report, checked_report
from quedge.controller.state import StateError
from quedge.controller.state_folder import journal_files
from quedge.controller.stored import stored_cell


class Settling:
    """Puts each frame together from what its members heard and, for what a kill cut off, from the journal.

    Args:
        arena: where.
        cell: the base station's name.
        members: number of the members.
    """

    def __init__(self, arena: Arena, cell: str, members: int) -> None:
        self._arena, self.cell, self._members = arena, cell, members
        self.heard = Heard()
        self._replay = Replay(arena.scenarios, arena.policy)
        self._entries: dict[int, Entry] = {}

    def look(self, is_running: bool) -> None:
        """Read what the journal holds now; in a copy where the process has ended, which must find it as it was left."""
        try:
            if is_running:
                entries = stored_cell(self._arena.child.state, self.cell).entries
            else:
                with tempfile.TemporaryDirectory() as folder:
                    for file in journal_files(self._arena.child.state, self.cell):
                        shutil.copy(file, folder)
                    entries = stored_cell(Path(folder), self.cell).entries
        except (StateError, OSError):
            self._arena.count("journals that could not be read now")
            return
        due = self._replay.queues.next_frame
        self._entries.update({entry.report.frame: entry for entry in entries if entry.report.frame >= due})

    def settle(self, is_over: bool = False) -> None:
        """Compare all frames that are complete; all that are there, where nobody reports any more."""
        while True:
            frame = self._replay.queues.next_frame
            with self.heard.lock:
                last = sorted(self.heard.last.values())
                complete = len(last) == self._members and frame < last[0]
                parts = dict(self.heard.parts.get(frame, {}))
            entry = self._entries.get(frame)
            if not complete and not (is_over and (parts or entry)):
                return
            self._settle(frame, parts, entry)

    def check_stands(self) -> None:
        """After all: the service stands where the run in one piece stands."""
        with self._arena.client(self.cell) as client:
            state = client.state()
        assert state is not None
        expected = self._replay.widened()
        self._arena.check(
            state.next_frame == expected.next_frame,
            f"{self.cell}: stands at frame {state.next_frame}, not {expected.next_frame}",
        )
        for name in ("data_queue_mbit", "energy_queue"):
            here, there = getattr(state, name), getattr(expected, name)
            self._arena.check(np.array_equal(here, there), f"{self.cell}: {name} is {here}, not {there}")

    def _settle(self, frame: int, parts: dict[int, Part], entry: Entry | None) -> None:
        if not parts and entry is None:
            raise UnplannedError(f"{self.cell}: frame {frame} was served to nobody")
        report = self._report(frame, parts) if entry is None else entry.report
        late = (entry.answer.served_by if entry is not None else next(iter(parts.values())).served_by) is ServedBy.LATE

        def agrees(answer: Answer) -> bool:
            if entry is not None and answer.packed() != entry.answer.packed():
                return False
            return all(_told(answer, part.device) == part.answer for part in parts.values())

        if self._replay.serve(report, ServedBy.LATE if late else ServedBy.POLICY, agrees) is None:
            raise UnplannedError(
                f"{self.cell}: frame {frame} is answered otherwise than in one piece: {report}, {parts}, "
                f"{'stored: ' + str(entry) if entry else 'not stored'}"
            )
        self._strike_off(frame, report, parts)
        self._arena.count("frames of devices and gateways")
        self._arena.count("frames of which an answer was cut off", int(len(parts) < report.devices.size))
        self._arena.count("frames decided late, by best-single", int(late))

    def _strike_off(self, frame: int, report: Report, parts: dict[int, Part]) -> None:
        """Each report is in one frame at most, and only what was reported is in a frame."""
        with self.heard.lock:
            for device, gain, arrived in zip(report.devices, report.channel_gain, report.arrived_mbit, strict=True):
                sent = self.heard.sent.pop((int(device), float(gain)), None)
                if sent != arrived:
                    raise UnplannedError(f"{self.cell}: frame {frame} has what nobody reported, or twice: {report}")
            missing = parts.keys() - set(report.devices.tolist())
            if missing:
                raise UnplannedError(f"{self.cell}: frame {frame} lacks devices {missing}, which were answered")
            self.heard.parts.pop(frame, None)
        self._entries.pop(frame, None)

    def _report(self, frame: int, parts: dict[int, Part]) -> Report:
        told = [parts[device] for device in sorted(parts)]
        return checked_report(
            self._replay.devices, frame, [part.gain for part in told], [part.arrived_mbit for part in told], (),
            [part.device for part in told],
        )  # fmt: skip


def _told(answer: Answer, device: int) -> tuple[object, ...]:
    place = int(np.searchsorted(answer.devices, device))
    if place == answer.devices.size or answer.devices[place] != device:
        return ()
    return tuple(getattr(answer, name)[place].item() for name in VALUES)
