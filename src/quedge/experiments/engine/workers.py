"""What the engine asks of whoever runs its cells, and what is done where they run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import NamedTuple, Protocol

from quedge.experiments.engine.versions import versions
from quedge.experiments.engine.warming import warm_up
from quedge.experiments.findings import Findings, Series
from quedge.experiments.fingerprint import code_version
from quedge.experiments.job import Job

_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in _THREADS}
"""Environment of a worker: libraries of linear algebra read it as they are loaded."""


class Workers(Protocol):
    """Where cells can run."""

    @property
    def slots(self) -> int:
        """How many cells are run at a time; known once an executor has been started."""
        ...

    def start(self) -> Executor:
        """A fresh executor.

        Raises:
            WorkersError: there can be none.
        """
        ...

    def abandon(self, executor: Executor) -> None:
        """End an executor at once, whatever it is doing."""
        ...


class WorkersError(Exception):
    """There are no workers to be had; the message says why."""


class Answer(NamedTuple):
    """What comes back from a worker.

    Attributes:
        findings: what was found; None where the job failed.
        reason: why it failed.
        elapsed_s: how long it took (s), once what it needs had been loaded or compiled.
        versions: of the libraries that it ran with.
        code: the version of the code that ran; empty where none did.
    """

    findings: Findings | None
    reason: str
    elapsed_s: float
    versions: Mapping[str, str]
    code: str


def run_job(job: Job) -> Answer:
    """Run a job where it is; an error becomes part of the answer."""
    code = code_version(job)  # before it runs: a file may change meanwhile
    warm_up(job)
    findings, reason, began = None, "", time.perf_counter()
    try:
        findings = {name: found if isinstance(found, Series) else float(found) for name, found in job.run().items()}
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
    return Answer(findings, reason, time.perf_counter() - began, versions(), code)
