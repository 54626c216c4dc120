"""What all who report or assault share: the process, what was asked of it, what was counted, and the first failure."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import grpc
import numpy as np

from benchmarks.service.chaos.certificates import Certificates
from benchmarks.service.chaos.child import Child, UnplannedError
from quedge import BestPair, BestSingle, Client, Exact, Policy, Scenario
from quedge.service.client.client import ServiceUnavailable
from tests.service import wire

DEVICES = 4
PAUSE_S = 0.2
"""What a reporter waits where it is refused or finds nobody."""
POLICIES: dict[str, Policy] = {"best-pair": BestPair(), "best-single": BestSingle(), "exact": Exact()}


class Arena:
    """See the module.

    Args:
        folder: where the process has its files.
        policy: name of who decides.
        seed: of all that is drawn.
        over_tls: whether reports go over mutual TLS.

    Attributes:
        certificates: those of TLS; None in plain text.
        child: the process.
        counts: what was done and seen, by name.
        scenarios: what was asked for, in order.
        over: set once nobody shall begin anything more.
        failure: the first failure, in words; empty without one.
        recent: the last assaults.
        may_be_fresh: base stations whose state was removed, and begins anew.
    """

    def __init__(self, folder: Path, policy: str, seed: int, over_tls: bool = False) -> None:
        self.folder, self.seed = folder, seed
        self.policy: Policy = POLICIES[policy]
        self.counts: Counter[str] = Counter()
        self.scenarios: list[Scenario] = []
        self.over = threading.Event()
        self.failure = ""
        self.recent: deque[str] = deque(maxlen=8)
        self.may_be_fresh: set[str] = set()
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._assaults = 0
        self.change_scenario(np.random.default_rng(seed))
        self.certificates = Certificates(folder / "tls") if over_tls else None
        self.child = Child(folder, policy, [] if self.certificates is None else self.certificates.options)

    def report_until_over(self, name: str, report: Callable[[], None]) -> None:
        """Call what reports again and again; a lost connection is counted, any other error is a failure of `name`."""
        while not self.over.is_set():
            try:
                report()
            except ServiceUnavailable:
                self.count("connections lost")
                time.sleep(PAUSE_S)
            except Exception as error:
                self.fail(f"{name}: {type(error).__name__}: {error}")

    def client(self, name: str) -> Client:
        """A connection of a base station's."""
        shown = {} if self.certificates is None else self.certificates.of_client
        return Client(self.child.target, name, timeout_s=30.0, **shown)

    def connected(self) -> AbstractContextManager[grpc.Channel]:
        """A channel of its own, for what no client would send."""
        if self.certificates is None:
            return wire.connected(self.child.target)
        files = (self.certificates.read(name) for name in ("ca", "client-key", "client"))
        return wire.connected(self.child.target, grpc.ssl_channel_credentials(*files))

    def count(self, name: str, times: int = 1) -> None:
        """Count something; any thread may."""
        with self._lock:
            self.counts[name] += times

    def fail(self, what: str) -> None:
        """Keep the first failure, and have all come to their end."""
        with self._lock:
            if not self.failure:
                at = time.monotonic() - self._began
                self.failure = f"{what}\n  after {at:.1f} s and {self._assaults} assaults, the last ones: " + ", ".join(
                    self.recent
                )
        self.over.set()

    def begin_assault(self, name: str) -> None:
        """Something is done to the process, or undone: what is asked from now on may be answered otherwise."""
        with self._lock:
            self._assaults += 1
        self.recent.append(name)
        self.count(name)

    def moment(self) -> int:
        """Number of assaults so far: nothing changed between two equal ones."""
        return self._assaults

    def change_scenario(self, rng: np.random.Generator) -> None:
        """Write a scenario whose queues weigh otherwise, now and then with one more device."""
        devices = self.scenarios[-1].devices if self.scenarios else DEVICES
        devices += int(bool(self.scenarios) and devices < DEVICES + 3 and rng.random() < 0.2)
        keys = {"v": float(rng.integers(50, 500)), "nu": float(rng.integers(1, 60)), "devices": devices}
        self.scenarios.append(Scenario(**keys))  # type: ignore[arg-type]
        making = self.folder / "cell.toml-new"
        making.write_text("".join(f"{name} = {value}\n" for name, value in keys.items()))
        making.replace(self.folder / "cell.toml")

    def check(self, is_so: bool, what: str) -> None:
        """An UnplannedError where something is not so."""
        if not is_so:
            raise UnplannedError(what)


class Truthfulness:
    """Whether `/healthz` says well while one reporter's reports are refused for the state's sake.

    After a refusal it may say well where the service has written something since, and then the next report is served.
    So it lies where it says well after each of two refusals in a row, and nothing was done to the process meanwhile.
    """

    def __init__(self, arena: Arena, name: str) -> None:
        self._arena, self._name, self._well_at = arena, name, -1

    def refused(self, moment: int) -> None:
        """A report that was sent at a moment was refused; an UnplannedError where the service has lied twice."""
        arena = self._arena
        status, text = arena.child.health()
        arena.count(f"/healthz after a refusal for the state's sake: {status or 'no answer'}")
        if status != 200 or arena.moment() != moment:
            self._well_at = -1
            return
        arena.check(self._well_at != moment, f"{self._name}: refused as NOT_DURABLE twice, /healthz: 200 {text!r}")
        self._well_at = moment

    def served(self) -> None:
        """A report was served."""
        self._well_at = -1
