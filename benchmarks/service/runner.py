"""A service for benchmarks: `python -m benchmarks.service.runner --policy exact --devices 10 [--state DIR]`.

It prints its address once it takes reports, and serves until SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path

from quedge import EQUIVARIANT, Exact, Learner, Policy, Scenario
from quedge.controller.controller import Controller
from quedge.controller.engine import Pace
from quedge.controller.journal import Durability
from quedge.controller.state_folder import StateFolder
from quedge.service.cells import CellRegistry
from quedge.service.server import serve, warm_up
from quedge.service.servicer import Servicer
from quedge.service.settings import Address

POLICIES: dict[str, Policy | Learner] = {"exact": Exact(), "equivariant": EQUIVARIANT}
NEVER_S = 1e6
"""A report waits that long before it is late: what is answered shall not depend on how busy the machine is."""


def fresh_controller(policy: str, devices: int) -> Controller:
    """A controller of the paper's cell that stands at its beginning."""
    return Controller(Scenario(devices=devices), POLICIES[policy], seed=0)


def _ready(port: int) -> None:
    print(f"127.0.0.1:{port}", flush=True)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--policy", choices=sorted(POLICIES), default="exact")
    parser.add_argument("--devices", type=int, default=10)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--durability", type=Durability, default=Durability.PROCESS)
    parser.add_argument("--checkpoint-frames", type=int, default=1000)
    given = parser.parse_args()
    sys.setswitchinterval(5e-4)  # as `quedge serve` does
    warm_up(lambda: fresh_controller(given.policy, given.devices))
    determined_by = f"{given.policy}, {given.devices} devices"
    state = None if given.state is None else StateFolder(given.state, determined_by, given.durability)
    pace = Pace(late_s=NEVER_S, checkpoint_frames=given.checkpoint_frames)
    cells = CellRegistry(lambda: fresh_controller(given.policy, given.devices), state, pace)
    with contextlib.closing(cells):
        asyncio.run(serve(Servicer(cells, given.policy, 0.5), Address("127.0.0.1", 0), None, _ready))


if __name__ == "__main__":
    main()
