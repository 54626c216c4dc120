"""`quedge pqc show` and `quedge pqc list`: what a suite costs, and what is known, with sources."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from quedge.cli.options import AsJson, complete_suites, integer_option, refused, value_option
from quedge.cli.progress import empty_table, output_console, print_note
from quedge.cli.usage import refusing
from quedge.errors import not_allowed, one_of
from quedge.files.scenario import read_keys
from quedge.model.scenario import PARAMETERS, Scenario
from quedge.model.security import SUITE_KEYS, suite_of
from quedge.pqc.cnsa import outside_cnsa
from quedge.pqc.costs import Effort, Traffic, effort_of, traffic_of
from quedge.pqc.key_limits import check_key_use, most_records
from quedge.pqc.profiles import MAX_RECORD_BYTES, OPERATIONS, Algorithm, Device, Framing, Profiles
from quedge.pqc.suite import MAX_REKEY_FRAMES, SUITES, Suite

BITS_PER_MBIT = 1_000_000
_MAX_MBIT = 1_000
_LEAST_WIDTH = 72  # columns; a narrower terminal folds lines, which is better than numbers that are cut
_LIST_WIDTH = 110  # as much for the lists
_CORE = "cortex-m4"  # the one of which most is known


# The suite's options, which `quedge pqc emulate` has, too.


def parse_mbit(text: str) -> Decimal:
    """Megabits that are whole bytes, exactly as they were written."""
    try:
        mbit = Decimal(text)
    except InvalidOperation:
        mbit = Decimal(-1)
    if not (mbit.is_finite() and 0 < mbit <= _MAX_MBIT and mbit * BITS_PER_MBIT % 8 == 0):
        raise refused(text, f"above 0, at most {_MAX_MBIT}, and a whole number of bytes")
    return mbit


KemOption = Annotated[str | None, typer.Option(help="Key encapsulation, instead of the suite's.")]
SignatureOption = Annotated[str | None, typer.Option("--sig", help="Signature, instead of the suite's.")]
AeadOption = Annotated[str | None, typer.Option(help="Authenticated encryption, instead of the suite's.")]
RecordBytes = Annotated[
    int | None, integer_option(1, MAX_RECORD_BYTES, "Maximum data of a record; without it, 16,384 bytes.")
]
Rekey = Annotated[
    int | None, integer_option(1, MAX_REKEY_FRAMES, "Exchange keys every K frames; without it, every 100.", metavar="K")
]
SignEveryFrame = Annotated[bool, typer.Option("--sign-every-frame", help="Sign every frame, too.")]
Mbit = Annotated[Decimal, value_option(parse_mbit, "MBIT", "Task data per frame.")]


def suite_named(place: str, name: str) -> Suite:
    """One of the package's suites; a ValueError where there is none of this name; the message starts with `place`."""
    if name.casefold() not in SUITES:
        raise not_allowed(place, name, one_of(SUITES))
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


class _Costs(NamedTuple):
    """A suite, and what it costs in one frame."""

    suite: Suite
    device: str | None
    mbit: float
    frame_s: float
    budget_w: float
    traffic: Traffic
    effort: Effort | None
    records_per_key: int | None
    outside_cnsa: tuple[str, ...]


def show(
    suite: Annotated[
        str | None,
        typer.Argument(
            help=f"{', '.join(SUITES)}; the file's without, or level3. The file's settings go with its own suite only.",
            metavar="[SUITE]",
            autocompletion=complete_suites,
        ),
    ] = None,
    device: Annotated[str | None, typer.Option(help="Device that runs it; without it, only wire bytes.")] = None,
    mbit: Mbit = Decimal(3),
    rekey: Rekey = None,
    kem: KemOption = None,
    sig: SignatureOption = None,
    aead: AeadOption = None,
    framing: Annotated[str | None, typer.Option(help="Protocol, instead of the suite's.")] = None,
    record_bytes: RecordBytes = None,
    sign_every_frame: SignEveryFrame = False,
    masking_factor: Annotated[
        float | None,
        typer.Option(metavar="FACTOR", help="Slowdown by side-channel protection of whatever touches a secret key."),
    ] = None,
    file: RowsFile = None,
    as_json: AsJson = False,
) -> None:
    """Show a suite's payload factor and circuit power for a number of bits per frame, in parts and with sources."""
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
        cipher, settings = profiles.algorithm("aead", "aead", chosen.aead), (float(mbit), cell.frame_s)
        check_key_use(chosen, cipher, traffic.records(settings[0] * BITS_PER_MBIT))
        limit, outside = most_records(cipher, chosen.record_bytes), outside_cnsa(chosen, profiles)
        costs = _Costs(chosen, name, *settings, cell.mean_power_budget_w, traffic, effort, limit, outside)
    if as_json:
        print(json.dumps(_as_object(costs), allow_nan=False))
    else:
        _print(costs)


def _as_object(costs: _Costs) -> dict[str, Any]:
    bits = costs.mbit * BITS_PER_MBIT
    traffic, effort = costs.traffic, costs.effort
    found: dict[str, Any] = {
        **dataclasses.asdict(costs.suite),
        "device": costs.device,
        "mbit": costs.mbit,
        "frame_s": costs.frame_s,
        "payload_factor": traffic.payload_factor(bits),
        "wire_bytes": traffic.wire_bytes(bits),
        "record_overhead_bytes": traffic.record_overhead_bytes,
        "rekey_bytes": traffic.rekey_bytes,
        "records_per_key": costs.records_per_key,
        "outside_cnsa_2": list(costs.outside_cnsa),
        "pqc_power_w": None,
        "pqc_power_parts_w": None,
        "cpu_share": None,
        "feasible": None,
        "sources": dict(traffic.sources),
    }
    if effort is None:
        return found
    power, cpu_share = effort.power(bits, costs.frame_s), effort.cpu_share(bits, costs.frame_s)
    return found | {
        "pqc_power_w": sum(power),
        "pqc_power_parts_w": power._asdict(),
        "power_budget_share": sum(power) / costs.budget_w,
        "energy_j_per_bit": effort.energy_j_per_bit,
        "rekey_cycles": effort.rekey_cycles,
        "cpu_share": cpu_share,
        "feasible": cpu_share <= 1.0,
        "max_rate_mbps": max(effort.max_rate_bps(costs.frame_s), 0.0) / BITS_PER_MBIT,
        "sources": dict(traffic.sources + effort.sources),
    }


def _print(costs: _Costs) -> None:
    from rich.padding import Padding
    from rich.text import Text

    found, suite, traffic = _as_object(costs), costs.suite, costs.traffic
    console = output_console(piped_width=110, least_width=_LEAST_WIDTH)
    console.print(
        f"{suite.kem} + {suite.signature} + {suite.aead}, framing {suite.framing}, records of {suite.record_bytes:,} "
        f"bytes, keys exchanged every {suite.rekey_frames:,} offloading frames",
        markup=False,
    )
    heading = f"{costs.mbit:g} Mbit in a frame of {costs.frame_s:g} s"
    table = empty_table((heading, "", "of which"), texts=(0, 2), folded=2)
    table.add_row(
        "payload factor η", f"{found['payload_factor']:.5f}",
        f"a key exchange is {traffic.rekey_bytes:,} bytes, a record adds {traffic.record_overhead_bytes}",
    )  # fmt: skip
    table.add_row("CNSA 2.0", "outside" if costs.outside_cnsa else "conforms", ", ".join(costs.outside_cnsa))
    if costs.effort is not None:
        parts = {name.replace("_", " "): watts for name, watts in found["pqc_power_parts_w"].items() if watts > 0.0}
        told = ", ".join(f"{name} {1e3 * watts:.3g} mW" for name, watts in parts.items())
        table.add_row("circuit power P_q", f"{1e3 * found['pqc_power_w']:.3g} mW", told)
        table.add_row("of the power budget", f"{found['power_budget_share']:.1%}", f"of {costs.budget_w:g} W")
        told = f"keeps up with {found['max_rate_mbps']:.3g} Mbit/s"
        if suite.masking_factor != 1.0:
            told += f"; signing and secret keys masked, {suite.masking_factor:g} times the cycles"
        share = f"{found['cpu_share']:.1%}"
        if not found["feasible"]:
            share = f"[red]{share}, not feasible[/red]"
        table.add_row(f"of {costs.device}'s cycles", share, told)
    console.print(table)
    if costs.effort is None:
        print_note(console, "With --device, its power and processor time.")
    by_source: dict[str, list[str]] = {}
    for name, source in found["sources"].items():
        by_source.setdefault(source, []).append(name)
    for source, names in by_source.items():
        console.print(Padding(Text(f"{', '.join(names)}: {source}", style="dim"), (0, 0, 0, 2)))


def list_profiles(
    file: RowsFile = None,
    sources: Annotated[bool, typer.Option("--sources", help="Also where each number comes from.")] = False,
    as_json: AsJson = False,
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
        operations = (None, None, None) if OPERATIONS[row.kind] == ("byte",) else OPERATIONS[row.kind]
        counts = [None if each is None else profiles.found((_CORE,), row, each) for each in operations]
        mega = [None if count is None else count.cycles / 1e6 for count in counts]
        rows.append((row.name, row.kind, row.nist_level, row.public_key_bytes, row.output_bytes, *mega))
    _print_list(headings, 2, rows, f"cycles on a {_CORE}; `--json` has those of other devices")


def _print_devices(profiles: Profiles) -> None:
    rows = []
    for row in profiles.devices:
        clock_mhz = None if row.clock_hz is None else row.clock_hz * 1e-6
        power_mw = None if row.active_power_w is None else row.active_power_w * 1e3
        rows.append((row.name, row.core, clock_mhz, power_mw))
    _print_list(("device", "core", "clock\nMHz", "power\nmW"), 2, rows)


def _print_builds(profiles: Profiles) -> None:
    """Algorithms that are counted per byte, on each device: the highest rate, and which code was counted."""
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


def _print_list(
    headings: Sequence[str], texts: int, rows: Iterable[Sequence[object]], remark: str = "", folded: int | None = None
) -> None:
    """A table whose first columns, `texts` of them, are no numbers; the column `folded` may take several lines."""
    table = empty_table(headings, range(texts), folded)
    for row in rows:
        table.add_row(*(_text(value) for value in row))
    console = output_console(least_width=_LIST_WIDTH)
    console.print(table)
    if remark:
        print_note(console, remark)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.4g}"
