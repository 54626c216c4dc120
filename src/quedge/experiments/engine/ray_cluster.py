"""Workers of a Ray cluster: of this machine alone, or an existing one. The only file that needs Ray."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar, cast

from quedge.errors import WorkersError, check_installed
from quedge.experiments.engine.process_pool import usable_processors
from quedge.experiments.engine.workers import ONE_THREAD

P = ParamSpec("P")
T = TypeVar("T")

_CONNECT_TIMEOUT_S = 5.0
_CLUSTERS_ALLOWED = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # its name is narrower than what it does


class RayCluster:
    """A Ray cluster; a local one listens on the loopback interface only, and ends with the run."""

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        """An existing cluster, at an address as `ray.init` takes it, or by default a local one of so many processes.

        Raises:
            MissingExtraError: Ray is not installed.
        """
        check_installed("ray", "--ray", "Ray", "ray")
        self._address = address
        self._workers = workers or usable_processors()
        self._slots = self._workers

    @property
    def slots(self) -> int:
        """See `Workers.slots`."""
        return self._slots

    def start(self) -> Executor:
        """See `Workers.start`; a WorkersError where no cluster is at the address, or can be started here."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if self._address is None:
            os.environ.setdefault(_CLUSTERS_ALLOWED, "0")  # read as Ray is imported: the node's address is 127.0.0.1
        import ray

        common: dict[str, Any] = {
            "log_to_driver": False,
            "logging_level": "ERROR",
            "runtime_env": {"env_vars": ONE_THREAD},
        }
        if self._address is None:
            try:
                ray.init("local", num_cpus=self._workers, include_dashboard=False, **common)
            except OSError as error:
                if "AF_UNIX" not in str(error):
                    raise
                variable = "RAY_TMPDIR" if "RAY_TMPDIR" in os.environ else "TMPDIR"
                place = os.environ.get(variable, tempfile.gettempdir())
                raise WorkersError(
                    f"--ray: {variable}: {place} is not allowed; it must be a shorter path, for Ray's sockets"
                ) from None
        else:
            _check_answers(self._address)
            try:
                ray.init(self._address, **common)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise WorkersError(f"--ray {self._address}: cannot be joined: {_cause(error)}") from None
            resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
            self._slots = max(1, int(resources.get("CPU", 1.0)))
        return _RayExecutor()

    def abandon(self, executor: Executor) -> None:
        """See `Workers.abandon`."""
        executor.shutdown(wait=False, cancel_futures=True)


class _RayExecutor(Executor):
    """`concurrent.futures` on the cluster that this process is connected to; one processor per call."""

    def __init__(self) -> None:
        import ray

        self._ray = ray
        self._call = ray.remote(num_cpus=1, max_retries=0)(_call)
        self._under_way: dict[Future[Any], Any] = {}

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        reference = self._call.remote(fn, args, kwargs)
        future = cast("Future[T]", reference.future())
        self._under_way[future] = reference  # Ray forgets a result that nobody refers to
        future.add_done_callback(lambda done: self._under_way.pop(done, None))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        try:
            for future, reference in list(self._under_way.items()):
                if cancel_futures:
                    self._ray.cancel(reference, force=True)
                elif wait:
                    future.exception()
        except self._ray.exceptions.RayError:  # the cluster is gone, and what ran on it
            pass
        finally:
            self._ray.shutdown()


def _check_answers(address: str) -> None:
    """Refuse an address where nothing listens; Ray itself would try for minutes.

    Raises:
        WorkersError: naming it.
    """
    host, colon, port = address.rpartition("//")[2].rpartition(":")
    if not colon:
        return  # "auto", for instance
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_TIMEOUT_S).close()
    except ValueError:
        raise WorkersError(f"--ray {address}: is not allowed; it must be HOST:PORT") from None
    except OSError as error:
        raise WorkersError(f"--ray {address}: nobody answers there: {error}") from None


def _cause(error: BaseException) -> str:
    """The last line that says why, of an error and what caused it."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if "Error: " in line] or str(error).splitlines()
    return lines[-1] if lines else type(error).__name__


def _call(fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    return fn(*args, **kwargs)
