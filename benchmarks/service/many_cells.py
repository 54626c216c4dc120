"""Many cells, one process against several: `python -m benchmarks.service.many_cells [--rounds 3] [--seconds 8]`.

A hundred base stations of ten devices, each with a connection of its own and one report at a time, and durable frames.
The service is `quedge serve` with metrics, on two processors; one process and two are measured in turn, in each round.
The base stations share the processors with the service where there are no others. They are bytes that were made
before (`benchmarks.service.stations`), and their processor time is told: what they take is no part of the service's
share of it, but of its time. Other work of the machine takes more from one process than from two: how many processors
the service had is told beside, and decides how far a ratio can be trusted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measuring import Row, print_rows
from benchmarks.service.processes import ServiceProcess, quedge_serve
from benchmarks.service.stations import Found, served

CELLS, DEVICES = 100, 10
PROCESSORS = sorted(os.sched_getaffinity(0))
NEVER_MS = "1e6"
"""A report waits that long before it is late: each policy decides all."""


def spent_s(pid: int) -> float:
    """Processor time of a process and of those that it began and that run (s)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + sum(map(spent_s, map(int, children)))


def service(policy: str, processes: int, folder: Path) -> ServiceProcess:
    """The service that is measured, on two processors."""
    most = ["--max-stations", str(CELLS), "--late-ms", NEVER_MS, "--processes", str(processes)]
    os.sched_setaffinity(0, PROCESSORS[:2])  # whatever is begun now
    try:
        return quedge_serve(["--policy", policy, *most], DEVICES, folder)
    finally:
        os.sched_setaffinity(0, PROCESSORS[2:] or PROCESSORS)


def measured(policy: str, processes: int, seconds: float) -> Found:
    """What the base stations of such a service find."""
    with tempfile.TemporaryDirectory() as folder, service(policy, processes, Path(folder)) as running:
        return served(running.target, CELLS, DEVICES, seconds, lambda: spent_s(running.pid))


def rows(policies: Sequence[str], processes: int, rounds: int, seconds: float) -> Iterator[Row]:
    """One row a policy and number of processes, and one for how they compare."""
    for policy in policies:
        found: dict[int, list[Found]] = {1: [], processes: []}
        for _ in range(rounds):
            for number, several in found.items():
                several.append(measured(policy, number, seconds))
        for number, several in found.items():
            rates = ", ".join(f"{each.answers / each.seconds:.0f}" for each in several)
            in_use = ", ".join(f"{each.service_s / each.seconds:.2f}" for each in several)
            answers = sum(each.answers for each in several)
            costs = [sum(values) / answers * 1e6 for values in zip(*(each[2:] for each in several), strict=True)]
            yield (
                f"{CELLS} cells of {DEVICES}, {policy}, {number} processes (decisions/s)", "-",
                f"{rates}; µs of processor time a decision: service {costs[0]:.0f}, base stations {costs[1]:.0f}; "
                f"processors in use by the service: {in_use}",
            )  # fmt: skip
        ratios = [
            more.answers / more.seconds / (one.answers / one.seconds)
            for one, more in zip(found[1], found[processes], strict=True)
        ]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        yield f"{policy}, {processes} processes over one", ">= 1.7", f"{statistics.median(ratios):.2f} ({each})"


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--policies", nargs="+", default=["exact"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    given = parser.parse_args()
    print_rows(rows(given.policies, given.processes, given.rounds, given.seconds))
    where = "processors of their own" if len(PROCESSORS) > 2 else "the service's processors"
    print(f"\n{os.cpu_count()} processors; base stations on {where}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
