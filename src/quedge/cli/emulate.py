"""`quedge emulate`: simulated devices against a running service."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quedge.cli import completing
from quedge.cli.options import (
    ArrivalTrace,
    ChannelTrace,
    ScenarioFile,
    Seed,
    Settings,
    frames_of,
    integer_from,
    positive_to,
    read_traces,
    refusing,
    share_of,
    target_of,
)
from quedge.cli.pqc.show import suite_named
from quedge.cli.progress import explained_pause, progress_bars
from quedge.errors import check_installed
from quedge.files.scenario import Preset, read_scenario
from quedge.pqc.suite import SUITES
from quedge.service.settings import poll_directly
from quedge.simulation.run import simulate
from quedge.simulation.world import draw_world

if TYPE_CHECKING:
    from quedge.emulator.audit import Findings
    from quedge.emulator.uploads import Secured

_FRAMES = 2000
_MAX_DEVICES = 10_000
_MAX_RATE_HZ = 1e6
_FAILED, _INTERRUPTED = 1, 130


def emulate_devices(
    connect: Annotated[str, typer.Option(parser=target_of, metavar="HOST:PORT", help="Where the service listens.")],
    scenario: ScenarioFile = None,
    devices: Annotated[
        int | None,
        typer.Option(parser=integer_from(1, _MAX_DEVICES), metavar="N", help="Devices; the scenario's without."),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(parser=frames_of, metavar="N", help=f"Frames to play; {_FRAMES}, or what the traces hold."),
    ] = None,
    rate: Annotated[
        float, typer.Option(parser=positive_to(_MAX_RATE_HZ), metavar="HZ", help="Frames a second.")
    ] = 200.0,
    settings: Settings = None,
    seed: Seed = 0,
    base_station: Annotated[
        str, typer.Option(metavar="NAME", help="The base station's name; each has a cell of its own.")
    ] = "base-station",
    as_base_station: Annotated[
        bool, typer.Option("--as-base-station", help="One stream reports for all devices; else each has its own.")
    ] = False,
    loss: Annotated[
        float, typer.Option(parser=share_of, metavar="SHARE", help="Share of the devices' reports that are lost.")
    ] = 0.0,
    churn: Annotated[
        float,
        typer.Option(
            parser=share_of, metavar="SHARE", help="Share of its frames in which a device leaves, for 1 to 20 frames."
        ),
    ] = 0.0,
    channel_trace: ChannelTrace = None,
    arrival_trace: ArrivalTrace = None,
    pqc: Annotated[
        str | None,
        typer.Option(
            metavar="SUITE",
            autocompletion=completing.suites,
            help=f"Offloaders upload records secured by it: {', '.join(SUITES)}.",
        ),
    ] = None,
    pqc_share: Annotated[
        float,
        typer.Option(parser=positive_to(1.0), metavar="SHARE", help="Share of the decided bits that are uploaded."),
    ] = 0.01,
    ca: Annotated[Path | None, typer.Option(help="TLS: certificate that the service's one is signed by (PEM).")] = None,
    cert: Annotated[Path | None, typer.Option(help="TLS: own certificate, where the service asks for one.")] = None,
    key: Annotated[Path | None, typer.Option(help="TLS: key of the own certificate.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, nothing else.")] = False,
) -> None:
    """Play a scenario's world against the controller service and check every answer.

    The scenario must be the service's. Exit status 1 where an answer was wrong or none came.
    """
    check_installed("grpc", "quedge emulate", "grpcio", "serve")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what is wrong with a connection is told in our own words
    poll_directly()
    from quedge.emulator.emulate import Target, emulate, workload_of
    from quedge.service.client.connection import credentials_of

    presets = [] if devices is None else [Preset("--devices", "devices", devices)]
    with refusing():
        credentials = credentials_of(None, ca, cert, key, ("--ca", "--cert", "--key"))
        traces = read_traces(channel_trace, arrival_trace)
        cell = read_scenario(scenario, settings or (), traces.devices, presets).scenario
        count = frames or traces.frames or _FRAMES
        world = draw_world(cell, count, seed, traces.channel, traces.arrivals)
    live = None if pqc is None else _live_suite(pqc)
    target = Target(connect, base_station, credentials, rate, as_base_station, live, pqc_share)
    workload = workload_of(world, seed, loss, churn)
    with explained_pause():
        _compile()
    with progress_bars(count) as progress:
        found = emulate(cell, workload, target, lambda done: progress("emulate", done))
    _tell(found, rate, as_json)
    if found.interrupted:
        raise typer.Exit(_INTERRUPTED)
    if found.trouble or found.violations or not found.answered:
        raise typer.Exit(_FAILED)


def _live_suite(name: str) -> Any:
    """A suite that runs here."""
    from quedge.pqc.uplink.algorithms import live_suite

    suite = suite_named("--pqc", name)
    with refusing("--pqc"):
        return live_suite(suite)


def _compile() -> None:
    """Compile, or load from disk, what checks answers, so that no frame has to wait for it."""
    from quedge.model.scenario import Scenario
    from quedge.policy.baselines import BestSingle

    simulate(Scenario(devices=2), BestSingle(), frames=2)


def _tell(found: Findings, rate: float, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_as_object(found, rate), allow_nan=False))
    else:
        _print(found, rate)
    for text in found.described:
        print(f"quedge: {text}", file=sys.stderr)
    if found.trouble:
        print(f"quedge: {found.trouble}", file=sys.stderr)


def _as_object(found: Findings, rate: float) -> dict[str, object]:
    times = found.round_trip_ms
    told: dict[str, object] = {
        "devices": found.devices,
        "frames": found.frames,
        "answered": found.answered,
        "reports": found.reports,
        "lost": found.lost,
        "away": found.away,
        "refused": found.refused,
        "served_frames": found.served_frames,
        "late": found.late,
        "policy_failed": found.policy_failed,
        "fallback": found.fallback,
        "violations": found.violations,
        "described": list(found.described),
        "rate_hz": rate,
        "rate_achieved_hz": found.rate_hz,
        **{f"round_trip_ms_{mark}": times.get(mark) for mark in ("p50", "p95", "p99", "max")},
        "interrupted": found.interrupted,
        "trouble": found.trouble,
    }
    return told if found.secured is None else {**told, **_secured_object(found.secured)}


def _secured_object(secured: Secured) -> dict[str, object]:
    return {
        "secured_uploads": secured.uploads,
        "secured_rejected": secured.rejected,
        "secured_left_out": secured.left_out,
        "secured_task_bytes": secured.task_bytes,
        "secured_bytes": secured.wire_bytes,
        "secured_payload_factor": secured.payload_factor,
        "secured_payload_factor_predicted": secured.payload_factor_predicted,
    }


def _print(found: Findings, rate: float) -> None:
    refused = ", ".join(f"{count:,} {outcome}" for outcome, count in found.refused.items())
    times = found.round_trip_ms
    lines = [
        ("played", f"{found.frames:,} frames of {found.devices} devices, {found.rate_hz:.1f} a second of {rate:g}"),
        ("answered", f"{found.answered:,} frames; {found.reports:,} reports, {found.served_frames:,} decisions"),
        ("not sent", f"{found.lost:,} reports lost, {found.away:,} of devices that were away"),
        ("refused", refused or "none"),
        ("best-single", f"{found.late:,} late, {found.policy_failed:,} where the policy failed; "
                        f"{found.fallback:,} fallbacks"),
        ("round trip", ", ".join(f"{value:.2f} ms {mark}" for mark, value in times.items()) or "none"),
        ("violations", f"{found.violations:,}"),
    ]  # fmt: skip
    if found.secured is not None:
        lines += _secured_lines(found.secured)
    if found.interrupted:
        lines.append(("", "ended before the last frame"))
    for name, text in lines:
        print(f"{name:<16}{text}")


def _secured_lines(secured: Secured) -> list[tuple[str, str]]:
    factor, predicted = secured.payload_factor, secured.payload_factor_predicted
    lines = [
        ("secured", f"{secured.uploads:,} uploads of {secured.task_bytes:,} bytes, {secured.wire_bytes:,} on the wire; "
                    f"{secured.rejected:,} rejected, {secured.left_out:,} left out"),
    ]  # fmt: skip
    if factor is not None and predicted is not None:
        lines.append(("payload factor", f"{factor:.9f} measured, {predicted:.9f} predicted"))
    return lines
