"""The demo's runs, here and in another process."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from typing import Any

import pytest

from quedge.cli import demo
from quedge.cli.compiling import Compiling
from quedge.experiments.engine import process_pool

NAMES = "exact", "best-single"
FRAMES = 9


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_POLICIES", {name: demo._POLICIES[name] for name in NAMES})
    monkeypatch.setattr(demo, "_LONGEST", NAMES[1])
    monkeypatch.setattr(process_pool, "usable_processors", lambda: 2)


def rewards() -> dict[tuple[str, str], list[float]]:
    policies = [demo._POLICIES[name] for name in demo._compiled_order()]
    with Compiling(policies, FRAMES, lambda *_: None) as compiling:
        runs = list(demo._runs(FRAMES, 0, lambda *_: None, compiling))
    assert len(runs) == 4
    return {
        (scenario, policy): run.outline.over_time["reward"].tolist() for scenario, policy, run in runs if run.outline
    }


class BreaksAtOnce(Executor):
    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        raise BrokenExecutor


class BreaksLater(Executor):
    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor())
        return future


def test_another_process_runs_as_this_one_does_and_what_it_owes_is_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    here = rewards()  # so few frames are not worth a process
    assert set(here) == {(scenario, policy) for scenario in ("paper", "munich") for policy in NAMES}
    monkeypatch.setattr(demo, "_WORTH_A_PROCESS", 1)
    assert rewards() == here
    for broken in (BreaksAtOnce(), BreaksLater()):

        @contextmanager
        def other(frames: int, broken: Executor = broken) -> Iterator[Executor]:
            yield broken

        monkeypatch.setattr(demo, "_other_process", other)
        assert rewards() == here
