"""`quedge pqc measure`: the algorithms' times on this machine, and their sizes beside the profiles'."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Annotated

import typer

from quedge.cli import completing
from quedge.cli.options import integer_from, refusing
from quedge.cli.pqc.show import suite_named
from quedge.cli.progress import progress_bars
from quedge.errors import check_installed
from quedge.pqc.measure import Machine, Measured, check_offered, machine, measurable, offered
from quedge.pqc.measure import measure as measure_algorithm
from quedge.pqc.profiles import Algorithm, known_profiles
from quedge.pqc.suite import SUITES

_MOST_RUNS = 100_000
_MOST_BYTES = 1 << 28
_DEFAULT_BYTES = "1024,16384,375000"

_count = integer_from(1, _MOST_BYTES)


def _sizes_of(text: str) -> tuple[int, ...]:
    """Numbers of bytes with commas between them."""
    try:
        return tuple(_count(part.strip()) for part in text.split(","))
    except typer.BadParameter:
        raise typer.BadParameter(
            f"{text[:60]!r} is not allowed; it must be integers from 1 to {_MOST_BYTES} with commas between them."
        ) from None


def measure(
    suite: Annotated[
        str | None,
        typer.Option(help=f"Only the algorithms of a suite: {', '.join(SUITES)}.", autocompletion=completing.suites),
    ] = None,
    algorithm: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this algorithm. Can be given again.")
    ] = None,
    repeat: Annotated[
        int,
        typer.Option(parser=integer_from(1, _MOST_RUNS), metavar="N", help="Most runs of an operation, within 2 s."),
    ] = 200,
    sizes: Annotated[
        str, typer.Option("--bytes", metavar="N,N,...", help="Data that authenticated encryption is timed on.")
    ] = _DEFAULT_BYTES,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, nothing else.")] = False,
) -> None:
    """Time the algorithms that the installed libraries run, and check their sizes.

    Times are processor time of the thread. The exit status is 1 where a size is not that of the profiles.
    """
    try:
        aead_bytes = _sizes_of(sizes)
    except typer.BadParameter as error:
        raise typer.BadParameter(error.message, param_hint="'--bytes'") from None
    rows, others = _chosen(suite, algorithm or [])
    ran_on = machine()  # the load is that of before
    found: list[Measured] = []
    with progress_bars(len(rows)) as progress:
        for row in rows:
            found.append(measure_algorithm(row, repeat, aead_bytes))
            progress("measure", len(found))
    if as_json:
        print(json.dumps(_as_object(ran_on, found, others), allow_nan=False))
    else:
        _print(ran_on, found, others)
    mismatches = [line for each in found for line in each.mismatches]
    for line in mismatches:
        print(f"quedge: {line}", file=sys.stderr)
    if mismatches:
        raise typer.Exit(1)


def _chosen(suite: str | None, names: list[str]) -> tuple[list[Algorithm], dict[str, str]]:
    """The rows to measure; where none was asked for, all that run, and of the others why not."""
    if suite is None and not names:
        check_installed("cryptography", "quedge pqc measure", "cryptography", "pqc")
        return offered()
    rows: list[Algorithm] = []
    if suite is not None:
        of = suite_named("--suite", suite)
        rows += [
            known_profiles().algorithm("--suite", kind, getattr(of, kind)) for kind in ("kem", "signature", "aead")
        ]
    known = {row.name.casefold(): row for row in measurable()}
    with refusing("--algorithm"):
        for name in names:
            if name.casefold() not in known:
                allowed = ", ".join(row.name for row in known.values())
                raise ValueError(f"{name[:60]!r} is not allowed; it must be one of {allowed}")
            rows.append(known[name.casefold()])
    rows = list(dict.fromkeys(rows))
    with refusing("--suite" if suite is not None and not names else "--algorithm"):
        for row in rows:
            check_offered(row)
    return rows, {}


def _as_object(ran_on: Machine, found: list[Measured], others: dict[str, str]) -> dict[str, object]:
    return {
        "machine": dataclasses.asdict(ran_on),
        "clock": "time.thread_time_ns",
        "algorithms": [
            {
                "algorithm": each.row.name,
                "kind": each.row.kind,
                "library": each.library,
                "public_key_bytes": each.public_key_bytes,
                "output_bytes": each.output_bytes,
                "sizes": "differ" if each.mismatches else "ok",
                "operations": [dataclasses.asdict(timing) for timing in each.timings],
            }
            for each in found
        ],
        "not_measured": others,
    }


def _print(ran_on: Machine, found: list[Measured], others: dict[str, str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading, justify in (
        ("algorithm", "left"), ("public key\nbytes", "right"), ("output\nbytes", "right"), ("sizes", "left"),
        ("operation", "left"), ("data\nbytes", "right"), ("median\nµs", "right"), ("95 %\nµs", "right"),
        ("runs", "right"),
    ):  # fmt: skip
        table.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=True)
    for each in found:
        head = (
            each.row.name,
            "" if each.public_key_bytes is None else f"{each.public_key_bytes:,}",
            f"{each.output_bytes:,}",
            "differ" if each.mismatches else "ok",
        )
        for timing in each.timings:
            data = "" if timing.data_bytes is None else f"{timing.data_bytes:,}"
            times = (f"{timing.median_us:,.1f}", f"{timing.p95_us:,.1f}", f"{timing.runs:,}")
            table.add_row(*head, timing.operation, data, *times)
            head = ("", "", "", "")
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    console.print(table)
    load = "unknown" if ran_on.load_1min is None else f"{ran_on.load_1min:.2f}"
    libraries = ", ".join(f"{name} {version}" for name, version in ran_on.libraries.items()) or "no library"
    console.print(
        f"  Processor time of the thread (time.thread_time_ns); {ran_on.processor}, {ran_on.cpus} processors, load "
        f"average {load} before; Python {ran_on.python}, {libraries}. Sizes: ok where they are the profile's.",
        style="dim",
        markup=False,
    )
    for why in dict.fromkeys(others.values()):
        names = ", ".join(name for name in others if others[name] == why)
        console.print(f"  Not measured: {names}: {why}.", style="dim", markup=False)
