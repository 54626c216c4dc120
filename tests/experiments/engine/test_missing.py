"""Running what is missing: once each, in any order, whatever happens to a cell or its worker."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from quedge.errors import WorkersError
from quedge.experiments.engine.execution import Execution, Progress, run_missing
from quedge.experiments.engine.process_pool import ProcessPool
from quedge.experiments.engine.store import Store
from quedge.experiments.fingerprint import name_of
from quedge.experiments.job import Job
from tests.experiments.jobs import DiesOnce, Threads, Timed, Told, Whole, job
from tests.workers import InProcess


def told(count: int, **settings: int) -> list[Job]:
    return [job(seed, Told(**settings)) for seed in range(count)]


def test_every_job_runs_once_and_a_second_call_runs_none(tmp_path: Path) -> None:
    first, second = InProcess(), InProcess()
    jobs = told(3)
    ran = run_missing([*jobs, jobs[0]], Store(tmp_path), first)
    assert [each.seed for each in first.jobs] == [0, 1, 2]
    assert ran.reused == 0
    again = run_missing(jobs, Store(tmp_path), second)
    assert second.started == 0
    assert again.reused == 3
    assert again.findings.keys() == ran.findings.keys() == {name_of(each) for each in jobs}
    assert again.findings[name_of(jobs[1])]["seed"] == 1.0


def test_a_wider_grid_runs_only_its_new_cells(tmp_path: Path) -> None:
    run_missing(told(2), Store(tmp_path), InProcess())
    wider = InProcess()
    ran = run_missing(told(4), Store(tmp_path), wider)
    assert [each.seed for each in wider.jobs] == [2, 3]
    assert len(ran.findings) == 4


def test_a_failing_job_is_reported_and_the_rest_finishes(tmp_path: Path) -> None:
    jobs = told(4, failing=1)
    ran = run_missing(jobs, Store(tmp_path), InProcess())
    assert ran.failures == {name_of(jobs[1]): "ValueError: told to fail"}
    assert len(ran.findings) == 3
    again = InProcess()
    run_missing(jobs, Store(tmp_path), again)
    assert [each.seed for each in again.jobs] == [1]  # it is tried again


def test_a_damaged_file_is_told_and_its_cell_runs_again(tmp_path: Path) -> None:
    jobs = told(2)
    store = Store(tmp_path)
    run_missing(jobs, store, InProcess())
    store.path(jobs[1]).write_bytes(b"")
    workers = InProcess()
    ran = run_missing(jobs, store, workers)
    assert [each.seed for each in workers.jobs] == [1]
    assert len(ran.damaged) == 1
    assert store.load(jobs[1]) is not None


def test_one_of_each_kind_comes_first_then_large_cells_and_what_measures_times_last(tmp_path: Path) -> None:
    slow = Told(takes_s=1e-6)
    jobs = [
        job(0, Told(exclusive=True)),
        job(1, Told()),
        job(2, Told()),
        job(3, Told(), devices=5),
        job(4, slow, devices=3),
    ]
    workers = InProcess()
    run_missing(jobs, Store(tmp_path), workers)
    assert [each.seed for each in workers.jobs] == [4, 1, 3, 2, 0]


def test_progress_counts_what_was_missing(tmp_path: Path) -> None:
    run_missing(told(1), Store(tmp_path), InProcess())
    seen: list[Progress] = []
    run_missing(told(3, failing=2), Store(tmp_path / "other"), InProcess(), seen.append)
    assert [(at.done, at.total) for at in seen] == [(1, 3), (2, 3), (3, 3)]
    assert all(at.seconds_left is not None and at.seconds_left >= 0.0 for at in seen)


def test_numbers_of_any_kind_are_the_same_now_and_later(tmp_path: Path) -> None:
    now = run_missing([job(0, Whole())], Store(tmp_path), InProcess()).findings
    later = run_missing([job(0, Whole())], Store(tmp_path), InProcess()).findings
    assert now == later == {name_of(job(0, Whole())): {"count": 3.0, "small": 0.5}}


def test_what_measures_times_runs_while_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / "meeting").mkdir()
    jobs = [job(seed, Timed(str(tmp_path / "meeting"), exclusive=seed < 2)) for seed in range(6)]
    found = run_missing(jobs, Store(tmp_path / "cells"), ProcessPool(2)).findings
    spans = [(found[name_of(each)]["began"], found[name_of(each)]["ended"]) for each in jobs]
    for place, (began, ended) in enumerate(spans[:2]):
        others = [span for other, span in enumerate(spans) if other != place]
        assert all(over <= began or ended <= start for start, over in others)
    ordered = sorted(spans[2:])
    assert any(later[0] < earlier[1] for earlier, later in pairwise(ordered))  # the others share


@pytest.mark.parametrize("exclusive", [False, True])
def test_a_job_whose_worker_died_once_is_not_blamed_for_it(tmp_path: Path, exclusive: bool) -> None:
    jobs = [job(0, DiesOnce(str(tmp_path / "mark"), exclusive)), *told(2)]
    ran = run_missing(jobs, Store(tmp_path / "cells"), ProcessPool(2))
    assert ran.failures == {}
    assert len(ran.findings) == 3


def test_jobs_that_only_waited_at_a_worker_that_died_are_no_suspects(tmp_path: Path) -> None:
    jobs = {"dies": job(0, DiesOnce(str(tmp_path / "mark"))), **{str(seed): job(seed, Told()) for seed in range(3)}}
    begun, kept = [], []
    with Execution(ProcessPool(1)) as execution:
        execution.run(jobs, lambda name, result: kept.append((name, result.reason)), begun.append)
    assert begun == ["dies", "dies", "0", "1", "2"]
    assert kept == [("dies", ""), ("0", ""), ("1", ""), ("2", "")]


def test_other_work_is_done_once_while_workers_start_and_not_without_them(tmp_path: Path) -> None:
    workers, done = InProcess(), []
    for _ in range(2):
        run_missing(
            told(2), Store(tmp_path), workers, meanwhile=lambda: done.append((workers.started, workers.jobs[:]))
        )
    assert done == [(1, [])]


class NoWorkers(InProcess):
    """Workers that die before they have been given anything."""

    def start(self) -> Executor:
        executor = ThreadPoolExecutor(1)

        def broken(*_: object) -> None:
            raise BrokenExecutor

        executor.submit = broken  # type: ignore[method-assign, assignment]
        return executor


class Elsewhere(InProcess):
    """Workers on which one cell runs by other code."""

    def start(self) -> Executor:
        executor = super().start()
        submit = executor.submit

        def changed(fn: Any, /, sent: Job) -> Future[Any]:
            future: Future[Any] = Future()
            result = submit(fn, sent).result()
            future.set_result(result._replace(code="other") if sent.seed == 1 else result)
            return future

        executor.submit = changed  # type: ignore[method-assign, assignment]
        return executor


def test_what_a_worker_with_other_code_finds_is_not_kept(tmp_path: Path) -> None:
    jobs = told(3)
    ran = run_missing(jobs, Store(tmp_path), Elsewhere())
    assert ran.failures == {name_of(jobs[1]): "the worker has another version of quedge, or of a file of your own"}
    assert sorted(found["seed"] for found in ran.findings.values()) == [0.0, 2.0]
    assert not Store(tmp_path).path(jobs[1]).exists()


def test_where_there_are_no_workers_the_run_ends(tmp_path: Path) -> None:
    with pytest.raises(WorkersError, match="the workers die before they have been given anything to do"):
        run_missing(told(2), Store(tmp_path), NoWorkers())


class Full(Store):
    """A store on a full disk."""

    def save(self, *_: object) -> None:
        raise OSError(28, "No space left on device")


def test_findings_that_cannot_be_kept_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        run_missing(told(3), Full(tmp_path), InProcess())


def test_processes_find_what_this_process_finds(tmp_path: Path) -> None:
    jobs = [job(seed, frames=30) for seed in range(4)]
    here = run_missing(jobs, Store(tmp_path / "here"), InProcess()).findings
    there = run_missing(jobs, Store(tmp_path / "there"), ProcessPool(2)).findings
    timed = {"decision_us_p25", "decision_us_p50", "decision_us_p75", "decision_us_p99", "wall_s"}
    for name, found in here.items():
        for measure, value in found.items():
            if measure not in timed:
                assert str(there[name][measure]) == str(value), measure


@pytest.mark.parametrize("from_server", [False, True])
def test_a_worker_has_one_compute_thread(tmp_path: Path, from_server: bool) -> None:
    pool = ProcessPool(1, from_server=from_server)
    (found,) = run_missing([job(0, Threads())], Store(tmp_path), pool).findings.values()
    assert found == {"numba": 1.0, "openblas": 1.0}


@pytest.mark.parametrize("from_server", [False, True])
def test_a_job_that_kills_its_worker_takes_no_other_down(tmp_path: Path, from_server: bool) -> None:
    jobs = told(5, dying=2)
    ran = run_missing(jobs, Store(tmp_path), ProcessPool(2, from_server=from_server))
    assert ran.failures == {name_of(jobs[2]): "its worker died: killed, out of memory, or crashed"}
    assert sorted(found["seed"] for found in ran.findings.values()) == [0.0, 1.0, 3.0, 4.0]


def test_a_job_that_cannot_be_sent_is_a_failed_one(tmp_path: Path) -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Local(Told):
        """A class that other processes cannot find."""

    jobs = [job(0, Local()), job(1, Told())]
    ran = run_missing(jobs, Store(tmp_path), ProcessPool(1))
    assert "Local" in ran.failures[name_of(jobs[0])]
    assert len(ran.findings) == 1
