"""Faults in thousands of seeded runs, with transport, clock and disk injected: `python -m benchmarks.service.faults`.

Each seed is a run of one cell's engine: a base station and single devices report, and their messages are lost,
repeated, reordered, stale or nonsense; the clock jumps; the disk refuses to write, before or after it has written; the
process dies between any two of its steps and starts again on what the disk held. After every step the cell must stand
where an independent model of what was acknowledged stands, and in the end every answer must be that of a run without
faults, bit for bit. `--seed 17` replays one run.
"""

from __future__ import annotations

import argparse
import dataclasses
import queue
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from benchmarks.service.disks import Disk, Fault, FaultyJournal
from benchmarks.service.flaws import FLAWS
from benchmarks.service.reference import Model
from quedge import EQUIVARIANT, Decision, Exact, Learner, Policy, Scenario
from quedge.controller.answer import ServedBy
from quedge.controller.assembly import Assembly, Member
from quedge.controller.controller import Controller
from quedge.controller.engine import Engine, Pace, Served
from quedge.controller.journal import Journal
from quedge.controller.records import Entry
from quedge.controller.report import MAX_FRAME, NEXT_FRAME, Reason, Report, ReportRejected
from quedge.model.cell import cell_of
from quedge.model.frame import Frame
from quedge.service import quedge_pb2 as pb
from quedge.service import translate

STEPS = 250
PACE = Pace(late_s=0.05, max_waiting=4, checkpoint_frames=20)
DEADLINE_S = 0.5
NOBODY = Report(MAX_FRAME, np.zeros(0, np.int64), *(np.zeros(0) for _ in range(3)))
"""A report that is always refused: of a frame that never comes."""
PATIENCE_S = 30.0
SHARED_MEMORY = Path("/dev/shm")  # a disk that need not be waited for, where there is one


class Moody:
    """The exact policy, which now and then raises, decides nonsense or writes into its frame."""

    def decide(self, frame: Frame, rng: np.random.Generator) -> Decision:
        """See `Policy.decide`."""
        mood = rng.random()
        if mood < 0.03:
            raise RuntimeError("not now")
        decision = Exact().decide(frame, rng)
        if mood < 0.06:
            return decision._replace(transmit_power_w=np.full(frame.cell.devices, np.nan))
        if mood < 0.09:
            return decision._replace(offload=np.ones(frame.cell.devices + 1, dtype=np.bool_))
        if mood < 0.12:
            frame.data_queue_mbit[:] = 0.0
        return decision


POLICIES: tuple[Policy | Learner, ...] = (
    Exact(),
    Moody(),
    Exact(),
    Moody(),
    dataclasses.replace(EQUIVARIANT, memory=32, batch=8, update_every=2),
)


BUSY = frozenset({Reason.OVERLOADED, Reason.NOT_DURABLE})
"""What may happen to any report; it is to be sent again."""
GONE = BUSY | {Reason.OLD_FRAME}


class Waiting(NamedTuple):
    """A report that was given to the engine.

    Attributes:
        report: the report.
        refusals: how it may be refused.
        outcomes: what its giver was told.
    """

    report: Report
    refusals: frozenset[Reason]
    outcomes: list[Served | ReportRejected]


class Run:
    """One seed's run.

    Args:
        seed: all that the run depends on.
        folder: where the disk is.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self._rng = np.random.default_rng(seed)
        self._folder, self._lives = folder, 0
        self._scenario = Scenario(devices=int(self._rng.integers(1, 6)), pqc_power_w=0.01)
        self._policy = POLICIES[seed % len(POLICIES)]
        self._cell = cell_of(self._scenario)
        self.model = Model(self._cell)
        self.counts: Counter[str] = Counter()
        self._now, self._lag_s = 0.0, 0.0
        self._caller = threading.get_ident()
        self._messages: list[bytes] = []
        self._made, self._last_made = -1, b""  # the frame of which the base station last made a report, and that report
        self._start(self._folder / "0.journal")

    def run(self, steps: int) -> None:
        """Take random steps, then compare with a run without faults."""
        actions = (
            (self._report, 40), (self._deliver, 40), (self._lose, 5), (self._spoil, 8), (self._repeat_old, 4),
            (self._devices_report, 6), (self._devices_come_and_go, 6), (self._let_time_pass, 6), (self._fail_disk, 4),
            (self._checkpoint, 2), (self._end_well, 1), (self._die, 1),
        )  # fmt: skip
        weights = np.array([weight for _, weight in actions]) / sum(weight for _, weight in actions)
        for choice in self._rng.choice(len(actions), steps, p=weights):
            actions[choice][0]()
            self._check_books()
        self._disk.heal()
        self._die()
        self._check_books()
        self._check_uncut()

    def close(self) -> None:
        """End the engine."""
        self._engine.close()

    # what happens

    def _report(self) -> None:
        """The base station makes the report of the frame that it believes is due."""
        due = self.model.next_frame
        if self._made == due and self._rng.random() < 0.8:
            self._messages.append(self._last_made)  # it has heard nothing
            return
        who = np.arange(self._cell.devices)
        if self._rng.random() < 0.3:
            who = self._rng.permutation(who)[: self._rng.integers(1, who.size + 1)]
        message = pb.FrameReport(frame=due, channel_gain=self._gains(who.size), arrived_mbit=self._arrivals(who.size))
        if who.size < self._cell.devices or self._rng.random() < 0.3:
            message.devices.extend(who.tolist())
        if self._rng.random() < 0.2:
            message.data_queue_mbit.extend(self._arrivals(who.size))
        self._made, self._last_made = due, message.SerializeToString()
        self._messages.append(self._last_made)

    def _deliver(self) -> None:
        """Messages arrive, in any order, some of them to arrive again."""
        waiting: list[Waiting] = []
        for _ in range(1 if self._rng.random() < 0.8 else self._rng.integers(2, 8)):
            if not self._messages:
                break
            place = -1 if self._rng.random() < 0.6 else int(self._rng.integers(len(self._messages)))
            data = self._messages[place] if self._rng.random() < 0.2 else self._messages.pop(place)
            self._lag_s = 0.1 if self._rng.random() < 0.1 else 0.0
            report = translate.report_of(pb.FrameReport.FromString(data), self._cell.devices)
            waiting.append(Waiting(report, GONE, []))
        self._have_served(waiting)

    def _lose(self) -> None:
        if self._messages:
            self._messages.pop(self._rng.integers(len(self._messages)))
            self.counts["lost"] += 1

    def _spoil(self) -> None:
        """A report with a flaw must be refused for it."""
        flaw = FLAWS[self._rng.integers(len(FLAWS))]
        message = pb.FrameReport(
            frame=self.model.next_frame,
            devices=range(self._cell.devices),
            channel_gain=self._gains(self._cell.devices),
            arrived_mbit=self._arrivals(self._cell.devices),
        )
        flaw.done(message)
        if flaw.reason is Reason.FUTURE_FRAME:  # the report itself is fine
            report = translate.report_of(message, self._cell.devices)
            self._have_served([Waiting(report, BUSY | {flaw.reason}, [])], served=False)
        else:
            assert self._refusal(lambda: translate.report_of(message, self._cell.devices)) is flaw.reason

    def _repeat_old(self) -> None:
        """A report that was served long ago, or the last one."""
        if self.model.acknowledged:
            ago = min(int(self._rng.integers(1, 4)), len(self.model.acknowledged))
            in_doubt = self.model.next_frame in self._disk.written
            report = self.model.acknowledged[-ago].report
            self._have_served([Waiting(report, BUSY if ago == 1 and not in_doubt else GONE, [])])

    def _devices_report(self) -> None:
        """Each device that is there reports, or does not."""
        for device in self._rng.permutation(sorted(self._present)).tolist():
            if self._rng.random() < 0.2 or device not in self._present:  # the service has died, and all streams with it
                continue
            gain = self._gains(1)[0] if self._rng.random() < 0.9 else float("nan")
            measured = self._arrivals(1)[0] if self._rng.random() < 0.2 else None
            expected = Reason.REPEATED_DEVICE if device in self._gathered else None
            expected = Reason.BAD_VALUE if expected is None and np.isnan(gain) else expected
            values = (device,), (gain,), (self._arrivals(1)[0],), () if measured is None else (measured,)
            assert self._refusal(partial(self._assembly.add, self._present[device], *values, self._now)) is expected
            if expected is None:
                self._gathered.add(device)
            self._close_if_closed()

    def _devices_come_and_go(self) -> None:
        device = int(self._rng.integers(-1, self._cell.devices + 1))
        member = Member("device")
        refusal = self._refusal(lambda: self._assembly.join(member, (device,)))
        if not 0 <= device < self._cell.devices:
            assert refusal is Reason.UNKNOWN_DEVICE
        elif device in self._present:
            assert refusal is Reason.REPEATED_DEVICE
            self._assembly.leave(self._present.pop(device))
            self._close_if_closed()
        else:
            assert refusal is None
            self._present[device] = member

    def _let_time_pass(self) -> None:
        """A little, or the clock is put forward or back by far; no frame outlives its deadline for it."""
        self._now += float(self._rng.choice([0.01, 0.3, 1e6, -1e6]))
        self._close_if_closed()
        self._now += DEADLINE_S
        self._close_if_closed()
        assert not self._gathered

    def _fail_disk(self) -> None:
        """The disk fails once, some operations from now, or the process dies there."""
        self._disk.arm(self._rng.choice(list(Fault)), int(self._rng.integers(0, 4)))

    def _checkpoint(self) -> None:
        answers: list[int | None] = []

        def kept(frame: int | None) -> None:
            answers.append(frame)
            self._told.put(None)

        self._engine.checkpoint(kept)
        if self._awaited(1):
            assert answers in ([None], [self._engine.queues.next_frame])
        else:
            self._rise()

    def _end_well(self) -> None:
        """SIGTERM, and a start on the same disk."""
        self._engine.close()
        assert not any(thread.name == "quedge-cell" for thread in threading.enumerate())
        self._start(self._path)

    def _die(self) -> None:
        """`kill -9` while nothing waits."""
        self._rise()

    # how

    def _have_served(self, waiting: list[Waiting], served: bool = True) -> None:
        """Give reports to the engine while it is held, wait for their outcomes, and compare them with the model."""
        begun, held = threading.Event(), threading.Event()

        def hold(outcome: Served | ReportRejected) -> None:
            begun.set()
            held.wait()
            self._told.put(None)

        self._engine.submit(NOBODY, hold)
        assert begun.wait(PATIENCE_S), "the engine hangs"  # what is held waits no more: only what follows does
        for each in waiting:
            self._engine.submit(each.report, self._teller(each))
        held.set()
        alive = self._awaited(1 + len(waiting)) and self._is_idle()
        for each in waiting:
            assert len(each.outcomes) == 1 or (not alive and not each.outcomes), "not exactly one outcome"
            assert served or not isinstance(each.outcomes[0], Served)
            if each.outcomes:
                self._account(each, each.outcomes[0])
        if not alive:
            self._rise()

    def _is_idle(self) -> bool:
        """Wait until the engine has nothing to do; false where the process died before."""
        self._engine.submit(NOBODY, lambda outcome: self._told.put(None))
        is_alive = self._awaited(1)
        while self._engine._in_hand:  # it tells of a report before that is out of its hands
            time.sleep(1e-5)
        return is_alive

    def _teller(self, waiting: Waiting) -> Callable[[Served | ReportRejected], None]:
        def told(outcome: Served | ReportRejected) -> None:
            if not self._disk.dead:
                waiting.outcomes.append(outcome)
            self._told.put(None)
            raise RuntimeError("whoever waited is gone")

        return told

    def _awaited(self, outcomes: int) -> bool:
        """Wait for outcomes; false where the process died before all had come."""
        for _ in range(outcomes):
            try:
                self._told.get(timeout=PATIENCE_S)
            except queue.Empty:
                raise AssertionError("the engine hangs") from None
            if self._disk.dead:
                return False
        return True

    def _account(self, waiting: Waiting, outcome: Served | ReportRejected) -> None:
        report = waiting.report
        if isinstance(outcome, ReportRejected):
            self.counts[f"refused: {outcome.reason}"] += 1
            assert outcome.reason in waiting.refusals, outcome
            if outcome.reason is Reason.OLD_FRAME:
                self._settle_doubt(report.frame)
                assert report.frame < self.model.next_frame
            return
        answer = outcome.answer
        if report.frame == NEXT_FRAME:
            report = report._replace(frame=answer.frame)
        self._settle_doubt(answer.frame if outcome.repeated else answer.frame - 1)
        if outcome.repeated:
            last = self.model.acknowledged[-1]
            assert (last.report.packed(), last.answer.packed()) == (report.packed(), answer.packed())
            self.counts["repeated"] += 1
        else:
            self.model.acknowledge(Entry(report, answer))
            self.counts[f"served by {answer.served_by}"] += 1

    def _settle_doubt(self, last_frame: int) -> None:
        """A frame that was written, but not acknowledged since disk or process failed then, may have come to be."""
        doubtful = self._disk.written.get(last_frame)
        if doubtful is not None and last_frame == self.model.next_frame:
            self.model.acknowledge(doubtful)
            self.counts["came to be unacknowledged"] += 1

    def _check_books(self) -> None:
        queues, model = self._engine.queues, self.model
        self._settle_doubt(queues.next_frame - 1)
        assert queues.next_frame == model.next_frame
        assert np.array_equal(queues.data_queue_mbit, model.data_queue_mbit)
        assert np.array_equal(queues.energy_queue, model.energy_queue)
        for values in (queues.data_queue_mbit, queues.energy_queue):
            assert np.isfinite(values).all()
            assert (values >= 0.0).all()

    def _check_uncut(self) -> None:
        """The acknowledged reports, served by a fresh controller without faults, have the same answers."""
        uncut = self._fresh()
        for report, answer in self.model.acknowledged:
            forced = answer.served_by if answer.served_by is ServedBy.LATE else ServedBy.POLICY
            assert uncut.serve(report, forced).packed() == answer.packed()

    def _start(self, path: Path, written: Mapping[int, Entry] = MappingProxyType({})) -> None:
        self._path, self._disk = path, Disk()
        self._disk.written |= written
        self._told: queue.SimpleQueue[None] = queue.SimpleQueue()
        journal = FaultyJournal(Journal(path, "cell", "this run"), self._disk)
        self._engine = Engine(self._fresh, journal, PACE, self._clock)  # type: ignore[arg-type]
        assert self._is_idle()
        self._assembly = Assembly(self._cell.devices, DEADLINE_S)
        self._present: dict[int, Member] = {}
        self._gathered: set[int] = set()
        self._messages = self._messages[-20:]

    def _rise(self) -> None:
        """Start on a copy of what the disk holds now, as a process does that finds it so."""
        self._lives += 1
        new = self._folder / f"{self._lives}.journal"
        for ending in ("", "-wal", "-last"):
            held = self._path.with_name(self._path.name + ending)
            if held.exists():
                shutil.copy(held, new.with_name(new.name + ending))
        self._engine.close()
        self._start(new, self._disk.written)
        self.counts["died"] += 1

    def _close_if_closed(self) -> None:
        while self._assembly.is_closed(self._now):
            report = self._assembly.taken()
            assert report.devices.tolist() == sorted(self._gathered)
            self._gathered = set()
            self._have_served([Waiting(report, BUSY, [])])

    def _refusal(self, call: Callable[[], object]) -> Reason | None:
        try:
            call()
        except ReportRejected as refused:
            self.counts[f"refused: {refused.reason}"] += 1
            return refused.reason
        return None

    def _fresh(self) -> Controller:
        return Controller(self._scenario, self._policy, seed=1)

    def _clock(self) -> float:
        return self._now + (0.0 if threading.get_ident() == self._caller else self._lag_s)

    def _gains(self, count: int) -> list[float]:
        return (10.0 ** self._rng.uniform(-13.0, -9.0, count)).tolist()  # type: ignore[no-any-return]

    def _arrivals(self, count: int) -> list[float]:
        return self._rng.exponential(3.0, count).tolist()  # type: ignore[no-any-return]


def run(seed: int, steps: int = STEPS) -> Counter[str]:
    """One seed's run; how often what happened.

    Raises:
        AssertionError: an invariant does not hold.
    """
    shared = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        cell = Run(seed, Path(folder))
        try:
            cell.run(steps)
        finally:
            cell.close()
        return cell.counts


def main() -> int:
    """Run all seeds, and print how often what happened."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2000, help="run seeds 0, 1, ...")
    parser.add_argument("--seed", type=int, help="run this one only")
    parser.add_argument("--steps", type=int, default=STEPS)
    given = parser.parse_args()
    seeds = range(given.seeds) if given.seed is None else [given.seed]
    began, counts, failed = time.perf_counter(), Counter[str](), []
    with ProcessPoolExecutor() as workers:
        for seed, found in zip(seeds, workers.map(_found, seeds, repeat(given.steps), chunksize=4), strict=True):
            if isinstance(found, str):
                failed.append(seed)
                print(f"seed {seed}: {found}", flush=True)
            else:
                counts += found
    for what, times in counts.most_common():
        print(f"{times:>9,}  {what}")
    spent = time.perf_counter() - began
    print(f"{len(seeds)} seeds of {given.steps} steps in {spent:.0f} s; failed: {failed or 'none'}")
    return int(bool(failed))


def _found(seed: int, steps: int) -> Counter[str] | str:
    try:
        return run(seed, steps)
    except Exception:
        return traceback.format_exc()


if __name__ == "__main__":
    sys.exit(main())
