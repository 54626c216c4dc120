"""`quedge pqc show`: what a suite on a device costs, with sources."""

from __future__ import annotations

import dataclasses
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from quedge.interfaces.cli import completing
from quedge.interfaces.cli.pqc.suite_options import (
    BITS_PER_MBIT,
    AeadOption,
    KemOption,
    Mbit,
    RecordBytes,
    Rekey,
    SignatureOption,
    SignEveryFrame,
    changed,
    suite_named,
)
from quedge.interfaces.cli.refusing import refusing
from quedge.interfaces.scenario_file import read_keys
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.model.security import SUITE_KEYS, suite_of
from quedge.pqc.costs import Effort, Traffic, effort_of, traffic_of
from quedge.pqc.suite import SUITES, Suite

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
