"""The pause of the first run, in which the kernels are compiled, and what explains it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from numba.core import event

from quedge.model.kernel_cache import keeps_machine_code
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestSingle
from quedge.policy.decide import decide
from quedge.policy.lydroo import TrainedLydroo
from quedge.policy.lydroo.exported.policy import ExportedLydroo
from quedge.policy.policy import Learner, Policy
from quedge.simulation.measures import summarise
from quedge.simulation.simulate import simulate

_PATIENCE_S = 1.0
_EXPLANATION = "Compiling the solvers: this happens once and takes up to a minute ..."
_EXPLANATION_UNKEPT = "Compiling the solvers, which takes up to a minute ..."


def compile_run(policies: Collection[Policy | Learner]) -> None:
    """Compile, or load from disk, all that a run of these policies needs, so that no frame has to wait for it.

    A summary measures against the optimum, so it needs the exact policy's kernels, whoever decides.
    """
    with explained_pause():
        traces = [simulate(Scenario(devices=_devices_for(policy)), _of_ours(policy), frames=2) for policy in policies]
        summarise(traces[0])


def compile_decisions(policy: Policy | Learner) -> None:
    """Compile, or load from disk, what this policy's decisions need, and nothing else."""
    devices = _devices_for(policy)
    gains = [10.0 ** -(9 + k / devices) for k in range(devices)]
    with explained_pause():
        decide(Scenario(devices=devices), gains, [3.0] * devices, [1.0] * devices, _of_ours(policy))


def _of_ours(policy: Policy | Learner) -> Policy | Learner:
    """The policy, or where it is a user's own one whose kernels it may need: nobody's policy runs before its run."""
    return policy if type(policy).__module__.partition(".")[0] == "quedge" else BestSingle()


def _devices_for(policy: Policy | Learner) -> int:
    """A small number of devices that the policy serves."""
    return policy.devices if isinstance(policy, TrainedLydroo | ExportedLydroo) else 2


@contextmanager
def explained_pause() -> Iterator[None]:
    """Tell the user on standard error what is going on, should compiling last; loading what was kept tells nothing."""
    timer = threading.Timer(_PATIENCE_S, _explain)
    timer.daemon = True
    with event.install_listener("numba:compile", _Starter(timer)):
        try:
            yield
        finally:
            timer.cancel()


def _explain() -> None:
    """That it happens once is told only where it does: where nothing can be kept, the cache itself says so."""
    explanation = _EXPLANATION if keeps_machine_code() else _EXPLANATION_UNKEPT
    with contextlib.suppress(OSError, ValueError):  # nobody reads
        print(explanation, file=sys.stderr, flush=True)


class _Starter(event.Listener):
    """Starts a timer with the first kernel that is compiled."""

    def __init__(self, timer: threading.Timer) -> None:
        self._timer: threading.Timer | None = timer

    def on_start(self, event: object) -> None:
        """A kernel is about to be compiled."""
        if self._timer is not None:
            self._timer.start()
            self._timer = None

    def on_end(self, event: object) -> None:
        """It has been compiled."""
