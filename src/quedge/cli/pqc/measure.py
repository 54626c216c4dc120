"""`quedge pqc measure`: the algorithms' times on this machine, and their sizes beside the profiles'."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Annotated

import typer

from quedge.cli.options import AsJson, complete_suites, integer_option
from quedge.cli.pqc.show import suite_named
from quedge.cli.progress import empty_table, output_console, print_note, progress_bars
from quedge.cli.usage import refusing
from quedge.errors import check_installed, not_allowed, one_of
from quedge.pqc.measure import Machine, Measured, check_offered, machine, measurable, offered
from quedge.pqc.measure import measure as measure_algorithm
from quedge.pqc.profiles import Algorithm, known_profiles
from quedge.pqc.suite import SUITES

_MAX_BYTES = 1 << 28
_DEFAULT_BYTES = "1024,16384,375000"


def _parse_sizes(text: str) -> tuple[int, ...]:
    """Numbers of bytes with commas between them."""
    try:
        sizes = tuple(map(int, text.split(",")))
    except ValueError:
        sizes = (0,)
    if not all(1 <= size <= _MAX_BYTES for size in sizes):
        raise not_allowed("--bytes", text, f"integers from 1 to {_MAX_BYTES} with commas between them")
    return sizes


def measure(
    suite: Annotated[
        str | None,
        typer.Option(help=f"Only the algorithms of this suite: {', '.join(SUITES)}.", autocompletion=complete_suites),
    ] = None,
    algorithm: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this algorithm. Can be given again.")
    ] = None,
    repeat: Annotated[int, integer_option(1, 100_000, "Maximum runs of an operation, within 2 s.")] = 200,
    sizes: Annotated[
        str, typer.Option("--bytes", metavar="N,N,...", help="Sizes on which authenticated encryption is timed.")
    ] = _DEFAULT_BYTES,
    as_json: AsJson = False,
) -> None:
    """Time the algorithms that the installed libraries run, and check their sizes.

    Times are processor time of the thread. The exit status is 1 where a size is not that of the profiles.
    """
    with refusing():
        aead_bytes = _parse_sizes(sizes)
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
    """The rows to measure, by default all that run, and by name why others are not measured."""
    if suite is None and not names:
        check_installed("cryptography", "quedge pqc measure", "cryptography", "pqc")
        return offered()
    rows: list[Algorithm] = []
    if suite is not None:
        with refusing():
            of = suite_named("--suite", suite)
        rows += [
            known_profiles().algorithm("--suite", kind, getattr(of, kind)) for kind in ("kem", "signature", "aead")
        ]
    known = {row.name.casefold(): row for row in measurable()}
    with refusing():
        for name in names:
            if name.casefold() not in known:
                raise not_allowed("--algorithm", name, one_of(row.name for row in known.values()))
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
    headings = (
        "algorithm", "public key\nbytes", "output\nbytes", "sizes", "operation", "data\nbytes", "median\nµs",
        "95 %\nµs", "runs",
    )  # fmt: skip
    table = empty_table(headings, texts=(0, 3, 4))
    for each in found:
        public_key = "" if each.public_key_bytes is None else f"{each.public_key_bytes:,}"
        head = (each.row.name, public_key, f"{each.output_bytes:,}", "differ" if each.mismatches else "ok")
        for timing in each.timings:
            data = "" if timing.data_bytes is None else f"{timing.data_bytes:,}"
            times = (f"{timing.median_us:,.1f}", f"{timing.p95_us:,.1f}", f"{timing.runs:,}")
            table.add_row(*head, timing.operation, data, *times)
            head = ("", "", "", "")
    console = output_console(piped_width=110)
    console.print(table)
    load = "unknown" if ran_on.load_1min is None else f"{ran_on.load_1min:.2f}"
    libraries = ", ".join(f"{name} {version}" for name, version in ran_on.libraries.items()) or "no library"
    print_note(
        console,
        f"Processor time of the thread (time.thread_time_ns); {ran_on.processor}, {ran_on.cpus} processors, load "
        f"average {load} before; Python {ran_on.python}, {libraries}. Sizes: ok where they are the profile's.",
    )
    for why in dict.fromkeys(others.values()):
        names = ", ".join(name for name in others if others[name] == why)
        print_note(console, f"Not measured: {names}: {why}.")
