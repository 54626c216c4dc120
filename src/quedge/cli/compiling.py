"""Compiling what a command needs: what it needs first in its own process, the rest in others beside it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager, nullcontext
from typing import Self

from numba.core import event

from quedge.model.interpreting import interpreted_first, is_interpreting
from quedge.model.kernel_cache import machine_code_folder
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestSingle
from quedge.policy.compiled import kernel_address
from quedge.policy.decide import decide
from quedge.policy.exact import Exact
from quedge.policy.policy import Learner, Policy

_PATIENCE_S = 1.0
_MAX_PROCESSES = 3  # beside this one: each takes 300 MB
_EXPLANATION = "Compiling the solvers: this happens once and takes up to a minute ..."
_EXPLANATION_UNKEPT = "Compiling the solvers, which takes up to a minute ..."
BAR = "compiling"
_FEW = 4_000  # decisions for a device, which are sooner interpreted than compiled
_INTERPRETED_S = 4.0  # then whatever is left is worth to be compiled


class Compiling:
    """Policies to be compiled, or loaded from disk, before they run: each in its turn, and the last ones beside.

    As soon as something is to be compiled, other processes compile what is run last, so that the first policy runs
    meanwhile. What they compile they keep on disk, so without a folder for that there are none. One that dies is no
    error: what it owes is compiled here. They end with the context.
    """

    def __init__(self, policies: Collection[Policy | Learner], frames: int, progress: Callable[..., None]) -> None:
        """Nothing is compiled yet.

        Args:
            policies: in the order in which they will run.
            frames: how many frames each will run.
            progress: told a name, how many policies are compiled, and of how many; see `progress_bars`.
        """
        exact = [place for place, policy in enumerate(policies) if isinstance(policy, Exact)]
        self._policies = [*policies] if exact else [*policies, Exact()]
        self._yardstick = exact[0] if exact else len(policies)  # every summary measures against the optimum
        self._taken: set[int] = set()
        self._frames, self._progress = frames, progress
        self._waiting, self._done = set(range(len(self._policies))), 0
        self._running: dict[int, Future[None]] = {}
        self._lock = threading.Lock()
        self._has_explained = False
        self.has_started = False
        """Whether something was to be compiled."""
        self._abandon: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._abandon()

    def take(self, place: int) -> None:
        """Compile all that the run of a policy needs, by its place, or wait for the process that does."""
        if place in self._taken:
            return
        self._taken.add(place)
        with nullcontext() if is_interpreting() else explained_pause(self._start, self._explain):
            for needed in (place,) if place == self._yardstick else (place, self._yardstick):
                self._compile(needed)
            compile_summary()

    def _start(self) -> None:
        """Start processes for what is not taken yet."""
        if self.has_started:
            return
        self.has_started = True
        from quedge.experiments.engine.process_pool import ProcessPool, usable_processors

        processes = min(usable_processors() - 1, len(self._waiting), _MAX_PROCESSES)
        if processes > 0 and machine_code_folder() is not None:
            pool = ProcessPool(processes)
            executor = pool.start()
            self._abandon = lambda: pool.abandon(executor)
            for _ in range(processes):
                self._submit(executor)

    def _explain(self) -> None:
        if not self._has_explained:
            self._has_explained = True
            _explain()

    def _compile(self, place: int) -> None:
        with self._lock:
            is_new = place in self._waiting
            self._waiting.discard(place)
            running = self._running.get(place)
        if running is not None:
            wait([running])
        compile_policy(self._policies[place], self._frames)
        if is_new:
            self._tell()

    def _submit(self, executor: Executor) -> None:
        with self._lock:
            if not self._waiting:
                executor.shutdown(wait=False)  # an idle process holds memory
                return
            place = max(self._waiting)
            self._waiting.remove(place)
            compiled = executor.submit(compile_policy, _warm_up(self._policies[place]), self._frames)
            self._running[place] = compiled
        compiled.add_done_callback(lambda done: self._ended(executor, done))

    def _ended(self, executor: Executor, done: Future[None]) -> None:
        if not done.cancelled() and done.exception() is None:
            self._tell()
            with contextlib.suppress(RuntimeError):  # the pool has been shut down
                self._submit(executor)

    def _tell(self) -> None:
        with self._lock:
            self._done += 1
            if self.has_started:
                self._progress(BAR, self._done, len(self._policies))


def compile_policy(policy: Policy | Learner, frames: int) -> None:
    """Compile, or load from disk, what a run of a policy over so many frames needs, but for its summary."""
    from quedge.simulation.run import BLOCKS_FROM, simulate

    enough = min(frames, BLOCKS_FROM if kernel_address(policy) else 2)
    simulate(Scenario(devices=_devices_for(policy)), _warm_up(policy), enough)


def compile_summary() -> None:
    """Compile, or load from disk, what the summary of a run needs."""
    from quedge.simulation.measures import summarise
    from quedge.simulation.run import simulate

    summarise(simulate(Scenario(devices=2), Exact(), 2))


def compile_decisions(policy: Policy | Learner) -> None:
    """Compile, or load from disk, what this policy's decisions need, and nothing else."""
    devices = _devices_for(policy)
    gains = [10.0 ** -(9 + k / devices) for k in range(devices)]
    decide(Scenario(devices=devices), gains, [3.0] * devices, [1.0] * devices, _warm_up(policy))


def _warm_up(policy: Policy | Learner) -> Policy | Learner:
    """The policy if it is built in; else one whose kernels it may need, since a user's policy runs in its run only."""
    return policy if _is_builtin(policy) else BestSingle()


def _devices_for(policy: Policy | Learner) -> int:
    """The number of devices of a policy that serves one number only; else a small one."""
    return int(getattr(policy, "devices", 2)) if _is_builtin(policy) else 2


def _is_builtin(policy: Policy | Learner) -> bool:
    return type(policy).__module__.partition(".")[0] == "quedge"


@contextmanager
def interpreted_if_few(decisions: int = 0) -> Iterator[None]:
    """Let Python run kernels that are not compiled yet, where there are few decisions, each counted once per device.

    It does so for some seconds at most; then what is left is compiled, and that is explained.
    """
    if decisions > _FEW:
        yield
        return
    with interpreted_first(_INTERPRETED_S), explained_pause():
        yield


@contextmanager
def explained_pause(
    on_start: Callable[[], None] = lambda: None, explain: Callable[[], None] | None = None
) -> Iterator[None]:
    """Say on standard error that kernels are compiled, if that takes long; loading them from disk says nothing.

    `on_start` is called with the first one that is compiled, `explain` instead of saying so.
    """
    timer = threading.Timer(_PATIENCE_S, explain or _explain)
    timer.daemon = True
    with event.install_listener("numba:compile", _Starter(timer, on_start)):
        try:
            yield
        finally:
            timer.cancel()


def _explain() -> None:
    """Say that it happens once only where machine code can be kept on disk."""
    explanation = _EXPLANATION_UNKEPT if machine_code_folder() is None else _EXPLANATION
    with contextlib.suppress(OSError, ValueError):  # nobody reads
        print(explanation, file=sys.stderr, flush=True)


class _Starter(event.Listener):
    """Starts a timer, and more, with the first kernel that is compiled."""

    def __init__(self, timer: threading.Timer, on_start: Callable[[], None]) -> None:
        self._timer: threading.Timer | None = timer
        self._on_start = on_start

    def on_start(self, event: object) -> None:
        """A kernel is about to be compiled."""
        if self._timer is not None:
            self._timer.start()
            self._timer = None
            self._on_start()

    def on_end(self, event: object) -> None:
        """It has been compiled."""
