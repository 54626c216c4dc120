"""`quedge pqc show` and `quedge pqc list`: what a suite costs, and what is known, with sources."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from quedge.cli import completing
from quedge.cli.options import UsageError, integer_from, refusing
from quedge.files.scenario import read_keys
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.model.security import SUITE_KEYS, suite_of
from quedge.pqc.costs import Effort, Traffic, effort_of, traffic_of
from quedge.pqc.profiles import MOST_RECORD_BYTES, OPERATIONS, Algorithm, Device, Framing, Profiles
from quedge.pqc.suite import MOST_REKEY_FRAMES, SUITES, Suite

MOST_MBIT = 1_000
BITS_PER_MBIT = 1_000_000


def mbit_of(text: str) -> Decimal:
    """Megabits that are whole bytes, exactly as they were written."""
    try:
        mbit = Decimal(str(text))
    except InvalidOperation:
        mbit = Decimal(-1)
    if not (mbit.is_finite() and 0 < mbit <= MOST_MBIT and mbit * BITS_PER_MBIT % 8 == 0):
        raise typer.BadParameter(
            f"{str(text)[:60]!r} is not allowed; it must be above 0, at most {MOST_MBIT}, and a whole number of bytes."
        )
    return mbit


KemOption = Annotated[str | None, typer.Option(help="Another key encapsulation than the suite's.")]
SignatureOption = Annotated[str | None, typer.Option("--sig", help="Another signature.")]
AeadOption = Annotated[str | None, typer.Option(help="Another authenticated encryption.")]
RecordBytes = Annotated[
    int | None,
    typer.Option(parser=integer_from(1, MOST_RECORD_BYTES), metavar="N", help="Most data in a record; 16384 without."),
]
Rekey = Annotated[
    int | None,
    typer.Option(
        parser=integer_from(1, MOST_REKEY_FRAMES), metavar="K", help="Frames after which keys change; 100 without."
    ),
]
SignEveryFrame = Annotated[bool, typer.Option("--sign-every-frame", help="Sign each frame, too.")]
Mbit = Annotated[Decimal, typer.Option(parser=mbit_of, metavar="MBIT", help="Task data of a frame.")]


def suite_named(place: str, name: str) -> Suite:
    """One of the package's suites.

    Raises:
        UsageError: there is none of this name; the message starts with `place`.
    """
    if name.casefold() not in SUITES:
        raise UsageError(f"{place}: {name[:60]!r} is not allowed; it must be one of {', '.join(SUITES)}")
    return SUITES[name.casefold()]


def changed(suite: Suite, profiles: Profiles, **options: Any) -> Suite:
    """A suite with some settings replaced, names as the profiles have them; None leaves a setting as it is.

    Raises:
        ValueError: an unknown name; the message names the option, the name and what is allowed.
    """
    changes = {key: value for key, value in options.items() if value is not None}
    for kind in ("kem", "signature", "aead"):
        if kind in changes:
            option = "--sig" if kind == "signature" else f"--{kind}"
            changes[kind] = profiles.algorithm(option, kind, changes[kind]).name
    if "framing" in changes:
        changes["framing"] = profiles.framing("--framing", changes["framing"]).name
    return dataclasses.replace(suite, **changes)


RowsFile = Annotated[
    Path | None,
    typer.Option("--file", help="Scenario file (TOML): its suite, its own algorithms and devices, frame, budget."),
]


_LEAST_WIDTH = 72  # columns; a narrower terminal folds lines, which is better than numbers that are cut


class Shown(NamedTuple):
    """What is shown: the suite, and what it costs in one frame."""

    suite: Suite
    device: str | None
    mbit: float
    frame_s: float
    budget_w: float
    traffic: Traffic
    effort: Effort | None


def show(
    suite: Annotated[
        str | None,
        typer.Argument(
            help=f"{', '.join(SUITES)}; the file's without, or level3. The file's settings go with its own suite only.",
            metavar="[SUITE]",
            autocompletion=completing.suites,
        ),
    ] = None,
    device: Annotated[str | None, typer.Option(help="What runs it; without, only what goes over the wire.")] = None,
    mbit: Mbit = Decimal(3),
    rekey: Rekey = None,
    kem: KemOption = None,
    sig: SignatureOption = None,
    aead: AeadOption = None,
    framing: Annotated[str | None, typer.Option(help="Another protocol.")] = None,
    record_bytes: RecordBytes = None,
    sign_every_frame: SignEveryFrame = False,
    masking_factor: Annotated[
        float | None,
        typer.Option(metavar="FACTOR", help="By which side-channel protection slows down what touches a secret key."),
    ] = None,
    file: RowsFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, nothing else.")] = False,
) -> None:
    """Show a suite's payload factor and circuit power at a number of bits a frame, in parts and with sources."""
    with refusing():
        keys, profiles = read_keys(file)
        own = {key: keys.get(key) for key in SUITE_KEYS}  # of the file; it may lack what an option gives
        cell = Scenario(**{key: value for key, value in keys.items() if PARAMETERS[key].group != "pqc"})
        if suite is not None and suite.casefold() != str(own["suite"]).casefold():
            base = suite_named("SUITE", suite)
        else:
            base = SUITES["level3"] if own["suite"] is None else suite_of(own)
        chosen = changed(
            base, profiles, kem=kem, signature=sig, aead=aead, framing=framing, record_bytes=record_bytes,
            rekey_frames=rekey, sign_every_frame=sign_every_frame or None, masking_factor=masking_factor,
        )  # fmt: skip
        traffic = traffic_of(chosen, profiles)
        runs_on, option = (own["device"], "device") if device is None else (device, "--device")
        name = None if runs_on is None else profiles.device(option, runs_on).name
        effort = None if name is None else effort_of(chosen, name, profiles)
        budget_w = float(cell.per_device("power_budget_w").mean())
        shown = Shown(chosen, name, float(mbit), cell.frame_s, budget_w, traffic, effort)
    if as_json:
        print(json.dumps(_as_object(shown), allow_nan=False))
    else:
        _print(shown)


def _as_object(shown: Shown) -> dict[str, Any]:
    bits = shown.mbit * BITS_PER_MBIT
    traffic, effort = shown.traffic, shown.effort
    found: dict[str, Any] = {
        **dataclasses.asdict(shown.suite),
        "device": shown.device,
        "mbit": shown.mbit,
        "frame_s": shown.frame_s,
        "payload_factor": traffic.payload_factor(bits),
        "wire_bytes": traffic.wire_bytes(bits),
        "record_overhead_bytes": traffic.record_overhead_bytes,
        "rekey_bytes": traffic.rekey_bytes,
        "pqc_power_w": None,
        "pqc_power_parts_w": None,
        "cpu_share": None,
        "feasible": None,
        "sources": dict(traffic.sources),
    }
    if effort is None:
        return found
    power, cpu_share = effort.power(bits, shown.frame_s), effort.cpu_share(bits, shown.frame_s)
    return found | {
        "pqc_power_w": sum(power),
        "pqc_power_parts_w": power._asdict(),
        "power_budget_share": sum(power) / shown.budget_w,
        "energy_j_per_bit": effort.energy_j_per_bit,
        "rekey_cycles": effort.rekey_cycles,
        "cpu_share": cpu_share,
        "feasible": cpu_share <= 1.0,
        "max_rate_mbps": max(effort.max_rate_bps(shown.frame_s), 0.0) / BITS_PER_MBIT,
        "sources": dict(traffic.sources + effort.sources),
    }


def _print(shown: Shown) -> None:
    from rich import box
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    found, suite, traffic = _as_object(shown), shown.suite, shown.traffic
    console = Console(width=max(Console().width, _LEAST_WIDTH) if sys.stdout.isatty() else 110, highlight=False)
    console.print(
        f"{suite.kem} + {suite.signature} + {suite.aead}, framing {suite.framing}, records of {suite.record_bytes:,} "
        f"bytes, keys exchanged every {suite.rekey_frames:,} offloading frames",
        markup=False,
    )
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(f"{shown.mbit:g} Mbit in a frame of {shown.frame_s:g} s", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("of which")
    table.add_row(
        "payload factor η", f"{found['payload_factor']:.5f}",
        f"a key exchange is {traffic.rekey_bytes:,} bytes, a record adds {traffic.record_overhead_bytes}",
    )  # fmt: skip
    if shown.effort is not None:
        parts = {name.replace("_", " "): watts for name, watts in found["pqc_power_parts_w"].items() if watts > 0.0}
        told = ", ".join(f"{name} {1e3 * watts:.3g} mW" for name, watts in parts.items())
        table.add_row("circuit power P_q", f"{1e3 * found['pqc_power_w']:.3g} mW", told)
        table.add_row("of the power budget", f"{found['power_budget_share']:.1%}", f"of {shown.budget_w:g} W")
        told = f"keeps up with {found['max_rate_mbps']:.3g} Mbit/s"
        if suite.masking_factor != 1.0:
            told += f"; signing and secret keys masked, {suite.masking_factor:g} times the cycles"
        share = f"{found['cpu_share']:.1%}"
        if not found["feasible"]:
            share = f"[red]{share}, not feasible[/red]"
        table.add_row(f"of {shown.device}'s cycles", share, told)
    console.print(table)
    if shown.effort is None:
        console.print("  With --device, its power and processor time.", style="dim")
    by_source: dict[str, list[str]] = {}
    for name, source in found["sources"].items():
        by_source.setdefault(source, []).append(name)
    for source, names in by_source.items():
        console.print(Padding(Text(f"{', '.join(names)}: {source}", style="dim"), (0, 0, 0, 2)))


_CORE = "cortex-m4"  # the one of which most is known
_LIST_WIDTH = 110  # columns; a narrower terminal folds lines, which is better than numbers that are cut


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
    _print_list(("suite", "key encapsulation", "signature", "authenticated encryption", "framing"), 5, rows)


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
    _print_list(headings, 2, rows, f"cycles on a {_CORE}; `--json` has those of other devices")


def _print_devices(profiles: Profiles) -> None:
    rows = [
        (row.name, row.core, _scaled(row.clock_hz, 1e-6), _scaled(row.active_power_w, 1e3)) for row in profiles.devices
    ]
    _print_list(("device", "core", "clock\nMHz", "power\nmW"), 2, rows)


def _print_builds(profiles: Profiles) -> None:
    """What goes by the byte, on each device that has it: its rate alone, and which code was counted."""
    rows = []
    for device in profiles.devices:
        for algorithm in profiles.algorithms:
            count = profiles.found((device.name, device.core), algorithm, "byte")
            if count is not None:
                rate = None if device.clock_hz is None else 8e-6 * device.clock_hz / count.cycles
                rows.append((device.name, algorithm.name, count.build or None, count.cycles, rate))
    _print_list(("device", "algorithm", "build", "cycles\na byte", "at most\nMbit/s"), 3, rows, folded=2)


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
    _print_list(headings, 2, rows)


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


def _print_list(
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
    console = Console(width=max(Console().width, _LIST_WIDTH) if sys.stdout.isatty() else 132, highlight=False)
    console.print(table)
    if remark:
        console.print(f"  {remark}", style="dim", markup=False)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.4g}"
