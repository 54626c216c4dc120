"""The pause of the first run, in which the kernels are compiled, and what explains it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from quedge.model.scenario import Scenario
from quedge.policy.policy import Policy
from quedge.simulation.measures import summarise
from quedge.simulation.simulate import simulate

_PATIENCE_S = 1.0
_EXPLANATION = "Compiling the solvers: this happens once and takes up to a minute or two ..."


def compile_kernels(policies: Iterable[Policy]) -> None:
    """Compile, or load from disk, all that a run of these policies needs, so that no frame has to wait for it."""
    with explained_pause():
        for policy in policies:
            summarise(simulate(Scenario(devices=2), policy, frames=2))


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
