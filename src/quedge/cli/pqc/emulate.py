"""`quedge pqc emulate`: a secured uplink over the loopback interface, counted at the receiver."""

from __future__ import annotations

import dataclasses
import json
import sys
from decimal import Decimal
from typing import Annotated

import typer

from quedge.cli.options import AsJson, Seed, complete_suites, integer_option, parse_share, value_option
from quedge.cli.pqc.show import (
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
from quedge.cli.progress import progress_bars
from quedge.cli.usage import refusing
from quedge.pqc.costs import traffic_of
from quedge.pqc.key_limits import check_key_use
from quedge.pqc.measure import check_offered
from quedge.pqc.profiles import known_profiles
from quedge.pqc.suite import SUITES, Suite
from quedge.pqc.uplink.algorithms import live_suite
from quedge.pqc.uplink.emulation import Emulation
from quedge.pqc.uplink.emulation import emulate as emulate_uplink
from quedge.pqc.uplink.loopback import EmulationError


def emulate(
    suite: Annotated[
        str, typer.Option(help=f"Algorithms: {', '.join(SUITES)}.", autocompletion=complete_suites)
    ] = "level3",
    kem: KemOption = None,
    sig: SignatureOption = None,
    aead: AeadOption = None,
    mbit: Mbit = Decimal(3),
    frames: Annotated[int, integer_option(1, 1_000_000, "Frames to send.")] = 100,
    rekey: Rekey = None,
    record_bytes: RecordBytes = None,
    sign_every_frame: SignEveryFrame = False,
    damage: Annotated[
        float, value_option(parse_share, "SHARE", "Share of frames with one bit flipped in transit.")
    ] = 0.0,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Send frames through a secured uplink on this machine and compare what arrives with what the sizes predict.

    Device and server run the suite's algorithms with pinned keys (framing: pinned) over a loopback TCP connection.
    """
    with refusing():
        chosen = changed(
            suite_named("--suite", suite), known_profiles(), kem=kem, signature=sig, aead=aead, rekey_frames=rekey,
            record_bytes=record_bytes, sign_every_frame=sign_every_frame,
        )  # fmt: skip
    for option, kind, name in (("--kem", "kem", kem), ("--sig", "signature", sig), ("--aead", "aead", aead)):
        if name is not None:
            with refusing(option):
                check_offered(known_profiles().algorithm(kind, kind, name))
    bits = int(mbit * BITS_PER_MBIT)
    with refusing():
        check_key_use(chosen, live_suite(chosen).aead.row, traffic_of(chosen).records(bits))
    try:
        with progress_bars(frames) as progress:
            found = emulate_uplink(chosen, bits, frames, damage, seed, lambda done: progress("emulate", done))
    except EmulationError as error:
        print(f"quedge: the emulation failed: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps(_as_object(chosen, found), allow_nan=False))
    else:
        _print(chosen, found)


def _as_object(suite: Suite, found: Emulation) -> dict[str, object]:
    settings = ("kem", "signature", "aead", "framing", "record_bytes", "rekey_frames", "sign_every_frame")
    told: dict[str, object] = {name: getattr(suite, name) for name in settings}
    for name, value in dataclasses.asdict(found).items():
        told["task_bits_per_frame" if name == "task_bits" else name] = value
    for side in ("device", "server"):
        times: tuple[float, float] | None = getattr(found, f"{side}_us")
        del told[f"{side}_us"]
        told[f"{side}_us_per_frame"], told[f"{side}_us_per_frame_p95"] = times or (None, None)
    return told


def _print(suite: Suite, found: Emulation) -> None:
    measured = found.payload_factor_measured
    lines = [
        ("suite", f"{suite.kem}, {suite.signature}, {suite.aead}; framing {suite.framing}"),
        ("sent", f"{found.frames:,} frames of {found.task_bits / BITS_PER_MBIT:g} Mbit, "
                 f"records of {suite.record_bytes:,} bytes"),
        ("key exchanges", f"{found.key_exchanges:,}"),
        ("accepted, rejected", f"{found.accepted:,}, {found.rejected:,}"),
        ("bytes on the wire", f"{found.bytes_on_wire:,} for {found.task_bytes:,} bytes of accepted data"),
        ("payload factor", "not measured: no rekey interval passed undamaged" if measured is None
         else f"{measured:.9f} measured over {found.frames_measured:,} frames"),
        ("", f"{found.payload_factor_predicted:.9f} predicted"),
        ("device, a frame", _times(found.device_us)),
        ("server, a frame", "none accepted" if found.server_us is None else _times(found.server_us)),
    ]  # fmt: skip
    for name, text in lines:
        print(f"{name:<20}{text}")


def _times(times_us: tuple[float, float]) -> str:
    return f"{times_us[0]:,.1f} µs of processor time in the median, {times_us[1]:,.1f} µs at 95 %"
