"""What a standby costs, and how soon it serves: `python -m benchmarks.service.standby [--times 100]`.

A client reports to a first service at a steady pace. It is killed (`kill -9`) at a random moment; the standby takes
over, becomes the first of a new standby, and is killed in its turn. Every answer that came must be that of a run in one
piece, and every frame that was acknowledged be there.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.service.processes import begun
from quedge.controller.answer import Answer
from quedge.controller.controller import Controller
from quedge.controller.report import Report, checked_report
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestSingle
from quedge.service.client.client import Client, Decided

DEVICES, PACE_S, NEVER_MS = 10, 0.005, "3600000"
PATIENCE_S = 60.0


class Taken(NamedTuple):
    """What many takeovers showed.

    Attributes:
        frames: frames that were acknowledged.
        repeated: of these, those whose answer came only when they were reported once more.
        first_answer_s: from each kill to the answer to a report that was made after it (s).
        wrong: frames whose answers are not those of a run in one piece.
    """

    frames: int
    repeated: int
    first_answer_s: list[float]
    wrong: list[int]


class Process:
    """A service that may have a standby, at a port of its own; `follows` is the port of the one that it stands by.

    Args:
        folder: where its state and log are to be.
        follows: None for a first service.
        is_paired: whether a standby may follow it.
    """

    def __init__(self, folder: Path, follows: int | None = None, is_paired: bool = True) -> None:
        folder.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._log = folder / "log"
        command = ["quedge", "serve", "--policy", "best-single", "--set", f"devices={DEVICES}", "--late-ms", NEVER_MS]
        command += ["--listen", f"127.0.0.1:{self.port}", "--state", str(folder / "state")]
        command += ["--allow-standby"] if is_paired else []
        command += [] if follows is None else ["--standby-of", f"127.0.0.1:{follows}"]
        with self._log.open("w") as log:
            self.process = begun(command, errors=log)

    def until(self, event: str, **fields: str) -> None:
        """Wait for a line of its log."""
        end = time.monotonic() + PATIENCE_S
        while True:
            lines = [json.loads(line) for line in self._log.read_text().splitlines(keepends=True) if line[-1] == "\n"]
            if any(line["event"] == event and line.items() >= fields.items() for line in lines):
                return
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{event} did not come about: {self._log.read_text()}")
            time.sleep(0.01)

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def running(folder: Path, follows: int | None = None, is_paired: bool = True) -> Iterator[Process]:
    """A service that is ready, or a standby that is in sync."""
    process = Process(folder, follows, is_paired)
    try:
        if follows is None:
            process.until("started")
        else:
            process.until("standing_by", standing="in sync")
        yield process
    finally:
        process.kill()


def take_over(times: int, seed: int = 0) -> Taken:
    """Kill the service that serves so many times."""
    rng = np.random.default_rng(seed)
    answers: list[Decided] = []
    reports: list[Report] = []
    first_answer_s: list[float] = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as ended:
        folder = Path(name)
        first = ended.enter_context(running(folder / "0"))
        for number in range(1, times + 1):
            standby = ended.enter_context(running(folder / str(number), first.port))
            with Client([f"127.0.0.1:{each.port}" for each in (first, standby)], timeout_s=PATIENCE_S) as client:
                _report(client, rng, reports, answers, rng.uniform(0.0, 0.5))
                killed: list[float] = []
                killing = threading.Timer(rng.uniform(0.0, 0.05), _kill, (first, killed))
                killing.start()
                while not killed:
                    _report(client, rng, reports, answers, PACE_S)
                _report(client, rng, reports, answers, 0.0)
                first_answer_s.append(time.monotonic() - killed[0])
                killing.join()
            first = standby
    uncut = Controller(Scenario(devices=DEVICES), BestSingle())
    expected = [uncut.serve(report) for report in reports]
    wrong = [frame for frame, pair in enumerate(zip(answers, expected, strict=True)) if not _alike(*pair)]
    return Taken(len(answers), sum(answer.repeated for answer in answers), first_answer_s, wrong)


def _kill(process: Process, killed: list[float]) -> None:
    killed.append(time.monotonic())
    process.process.kill()


def _report(
    client: Client, rng: np.random.Generator, reports: list[Report], answers: list[Decided], during_s: float
) -> None:
    """Report frame after frame, one at least; a ReportRefused where an acknowledged one is not there."""
    end = time.monotonic() + during_s
    while True:
        began, frame = time.monotonic(), len(reports)
        gain, arrived = rng.exponential(1e-11, DEVICES) + 1e-15, rng.exponential(3.0, DEVICES)
        reports.append(checked_report(DEVICES, frame, gain, arrived))
        answers.append(client.decide(frame, gain, arrived))
        if time.monotonic() >= end:
            return
        time.sleep(max(0.0, began + PACE_S - time.monotonic()))


def _alike(decided: Decided, expected: Answer) -> bool:
    names = ("offload", "power_w", "data_queue_mbit", "energy_queue")
    return all(np.array_equal(getattr(decided, name), getattr(expected, name)) for name in names)


def compared(frames: int, seed: int = 0) -> tuple[float, float, float]:
    """Medians of the time there and back without and with a standby (s), frames in turn, and of their ratio."""
    rng, times = np.random.default_rng(seed), np.empty((frames, 2))
    with tempfile.TemporaryDirectory() as name, ExitStack() as ended:
        folder = Path(name)
        firsts = [ended.enter_context(running(folder / "alone", is_paired=False))]
        firsts.append(ended.enter_context(running(folder / "first")))
        ended.enter_context(running(folder / "standby", firsts[1].port))
        clients = [ended.enter_context(Client(f"127.0.0.1:{first.port}")) for first in firsts]
        streams = [ended.enter_context(client.stream()) for client in clients]
        for frame in range(frames):
            gain, arrived = rng.exponential(1e-11, DEVICES) + 1e-15, rng.exponential(3.0, DEVICES)
            for which in (0, 1) if frame % 2 else (1, 0):
                began = time.perf_counter()
                streams[which].decide(frame, gain, arrived)
                times[frame, which] = time.perf_counter() - began
    without, with_standby = np.median(times, axis=0)
    return float(without), float(with_standby), float(np.median(times[:, 1] / times[:, 0]))


def main() -> int:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--frames", type=int, default=3000, help="for the latency")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    without, with_standby, ratio = compared(given.frames, given.seed)
    print(f"there and back: {without * 1e3:.2f} ms alone, {with_standby * 1e3:.2f} ms with a standby, x {ratio:.2f}")
    found = take_over(given.times, given.seed)
    print(
        f"{given.times} kills, {found.frames:,} frames acknowledged, 0 lost, {found.repeated} answered once more, "
        f"{len(found.wrong)} wrong; kill to first answer {np.median(found.first_answer_s):.2f} s (median), "
        f"{max(found.first_answer_s):.2f} s (max)"
    )
    return int(bool(found.wrong))


if __name__ == "__main__":
    sys.exit(main())
