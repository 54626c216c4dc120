"""The engine: run the cells that have not run yet, keep each as soon as it is there, and report those that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from quedge.experiments.engine.execution import Execution, in_turn
from quedge.experiments.engine.store import Store
from quedge.experiments.engine.time_left import TimeLeft
from quedge.experiments.engine.workers import Answer, Workers
from quedge.experiments.findings import Findings
from quedge.experiments.fingerprint import name_of
from quedge.experiments.job import Job
from quedge.experiments.whole_file import remove_leftovers


class Progress(NamedTuple):
    """How far the engine is.

    Attributes:
        done: cells that have ended, well or not.
        total: cells that were to be run.
        seconds_left: what the rest will take (s); None while nobody knows.
    """

    done: int
    total: int
    seconds_left: float | None


class Ran(NamedTuple):
    """What became of some jobs; each by its name.

    Attributes:
        findings: what was found, now or before.
        failures: why the others failed.
        reused: how many of the findings were there before.
        damaged: files that could not be read, whose cells ran again.
    """

    findings: Mapping[str, Findings]
    failures: Mapping[str, str]
    reused: int
    damaged: tuple[str, ...]


def run_missing(
    jobs: Iterable[Job],
    store: Store,
    workers: Workers,
    progress: Callable[[Progress], None] | None = None,
) -> Ran:
    """Run the jobs whose findings are not in the store; each is kept there as soon as it has run.

    Jobs of the same name run once. A job that fails, or takes its worker down with it, ends no other. What is
    interrupted, by whatever, goes on where it stood when it is called again.

    Args:
        jobs: what is wanted.
        store: where findings are and will be.
        workers: who runs what is missing.
        progress: called after every job.

    Raises:
        ValueError: see `fingerprint.determinants`; before anything has run.
        WorkersError: there are no workers to be had.
        OSError: findings cannot be read or kept.
    """
    wanted = {name_of(job): job for job in jobs}
    remove_leftovers(store.folder)
    findings: dict[str, Findings] = {}
    damaged: list[str] = []
    for name, job in wanted.items():
        try:
            found = store.load(job)
        except ValueError as error:
            damaged.append(str(error))
            continue
        if found is not None:
            findings[name] = found
    reused = len(findings)
    missing = {name: job for name, job in wanted.items() if name not in findings}
    failures: dict[str, str] = {}
    time_left = TimeLeft({name: missing[name] for name in in_turn(missing)})

    def keep(name: str, answer: Answer) -> None:
        if answer.findings is None:
            failures[name] = answer.reason
        else:
            store.save(missing[name], answer.findings, answer.elapsed_s, answer.versions)
            findings[name] = answer.findings
        time_left.ended(name, None if answer.findings is None else answer.elapsed_s)
        if progress is not None:
            done = len(findings) - reused + len(failures)
            progress(Progress(done, len(missing), time_left.seconds(workers.slots)))

    with Execution(workers) as execution:
        execution.run(missing, keep, time_left.began)
    return Ran(findings, failures, reused, tuple(damaged))
