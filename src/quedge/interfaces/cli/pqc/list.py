"""`quedge pqc list`: the suites, algorithms, devices and framings that are known."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from quedge.interfaces.cli.pqc.show import RowsFile
from quedge.interfaces.cli.refusing import refusing
from quedge.interfaces.scenario_file import read_keys
from quedge.pqc.profiles import OPERATIONS, Algorithm, Device, Framing, Profiles
from quedge.pqc.suite import SUITES

_CORE = "cortex-m4"  # the one of which most is known
_LEAST_WIDTH = 110  # columns; a narrower terminal folds lines, which is better than numbers that are cut


def list_profiles(
    file: RowsFile = None,
    sources: Annotated[bool, typer.Option("--sources", help="Also where each number comes from.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, nothing else.")] = False,
) -> None:
    """List suites, algorithms, devices and framings with their numbers; a dash where no source gives one."""
    with refusing():
        _, profiles = read_keys(file)
    if as_json:
        suites = {name: dataclasses.asdict(suite) for name, suite in SUITES.items()}
        print(json.dumps({"suites": suites, **dataclasses.asdict(profiles)}, allow_nan=False))
        return
    _print_suites()
    _print_algorithms(profiles)
    _print_devices(profiles)
    _print_builds(profiles)
    _print_framings(profiles)
    if sources:
        _print_sources(profiles)


def _print_suites() -> None:
    rows = [(name, suite.kem, suite.signature, suite.aead, suite.framing) for name, suite in SUITES.items()]
    _print(("suite", "key encapsulation", "signature", "authenticated encryption", "framing"), 5, rows)


def _print_algorithms(profiles: Profiles) -> None:
    headings = [
        "algorithm", "kind", "NIST\nlevel", "public key\nbytes", "sends\nbytes", "keygen\nM cycles",
        "encaps, sign\nM cycles", "decaps, verify\nM cycles",
    ]  # fmt: skip
    rows = []
    for row in profiles.algorithms:
        counts = [
            _cycles(profiles, (_CORE,), row, operation, 1e6) if OPERATIONS[row.kind] != ("byte",) else None
            for operation in (OPERATIONS[row.kind] if OPERATIONS[row.kind] != ("byte",) else OPERATIONS["kem"])
        ]
        rows.append((row.name, row.kind, row.nist_level, row.public_key_bytes, row.output_bytes, *counts))
    _print(headings, 2, rows, f"cycles on a {_CORE}; `--json` has those of other devices")


def _print_devices(profiles: Profiles) -> None:
    rows = [
        (row.name, row.core, _scaled(row.clock_hz, 1e-6), _scaled(row.active_power_w, 1e3)) for row in profiles.devices
    ]
    _print(("device", "core", "clock\nMHz", "power\nmW"), 2, rows)


def _print_builds(profiles: Profiles) -> None:
    """What goes by the byte, on each device that has it: its rate alone, and which code was counted."""
    rows = []
    for device in profiles.devices:
        for algorithm in profiles.algorithms:
            count = profiles.found((device.name, device.core), algorithm, "byte")
            if count is not None:
                rate = None if device.clock_hz is None else 8e-6 * device.clock_hz / count.cycles
                rows.append((device.name, algorithm.name, count.build or None, count.cycles, rate))
    _print(("device", "algorithm", "build", "cycles\na byte", "at most\nMbit/s"), 3, rows, folded=2)


def _print_framings(profiles: Profiles) -> None:
    headings = [
        "framing", "key exchange", "fixed\nbytes", "record header\nbytes", "public keys\nsent", "signatures\nsent",
        "signatures\nverified",
    ]  # fmt: skip
    rows = [
        (
            row.name, row.key_exchange, row.fixed_bytes, row.record_header_bytes, row.public_keys, row.signatures,
            row.verifications,
        )
        for row in profiles.framings
    ]  # fmt: skip
    _print(headings, 2, rows)


def _print_sources(profiles: Profiles) -> None:
    told: dict[str, list[str]] = {}
    named: list[Algorithm | Device | Framing] = [*profiles.algorithms, *profiles.devices, *profiles.framings]
    for row in named:
        told.setdefault(row.source, []).append(row.name)
    for count in profiles.cycles:
        what = f"{count.algorithm} on {count.runs_on}"
        if what not in told.setdefault(count.source, []):
            told[count.source].append(what)
    for source, names in told.items():
        print(f"{', '.join(names)}:\n    {source or 'no source given'}")


def _cycles(
    profiles: Profiles, places: Sequence[str], algorithm: Algorithm, operation: str, unit: float
) -> float | None:
    row = profiles.found(places, algorithm, operation)
    return None if row is None else row.cycles / unit


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _print(
    headings: Sequence[str],
    texts: int,
    rows: Iterable[Sequence[object]],
    remark: str = "",
    folded: int | None = None,
) -> None:
    """A table whose first columns, `texts` of them, are no numbers; the column `folded` may take several lines."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column, heading in enumerate(headings):
        table.add_column(heading, justify="left" if column < texts else "right", no_wrap=column != folded)
    for row in rows:
        table.add_row(*(_text(value) for value in row))
    console = Console(width=max(Console().width, _LEAST_WIDTH) if sys.stdout.isatty() else 132, highlight=False)
    console.print(table)
    if remark:
        console.print(f"  {remark}", style="dim", markup=False)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.4g}"
