"""The pause of the first run, in which the kernels are compiled, and what explains it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from quedge.model.scenario import Scenario
from quedge.policy.decide import decide
from quedge.policy.policy import Policy
from quedge.simulation.measures import summarise
from quedge.simulation.simulate import simulate

_PATIENCE_S = 1.0
_EXPLANATION = "Compiling the solvers: this happens once and takes about half a minute ..."


def compile_run(policies: Collection[Policy]) -> None:
    """Compile, or load from disk, all that a run of these policies needs, so that no frame has to wait for it.

    A summary measures against the optimum, so it needs the exact policy's kernels, whoever decides.
    """
    with explained_pause():
        traces = [simulate(Scenario(devices=2), policy, frames=2) for policy in policies]
        summarise(traces[0])


def compile_decisions(policy: Policy) -> None:
    """Compile, or load from disk, what this policy's decisions need, and nothing else."""
    with explained_pause():
        decide(Scenario(devices=2), [1e-9, 1e-10], [3.0, 3.0], [1.0, 1.0], policy)


@contextmanager
def explained_pause() -> Iterator[None]:
    """Tell the user on standard error what is going on, should this last."""
    timer = threading.Timer(_PATIENCE_S, lambda: print(_EXPLANATION, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
