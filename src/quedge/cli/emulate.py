"""`quedge emulate`: simulated devices report to a controller service, and every answer is checked."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quedge.cli import options
from quedge.cli.compiling import explained_pause
from quedge.cli.options import (
    complete_suites,
    frames_option,
    integer_option,
    parse_share,
    parse_target,
    positive_to,
    value_option,
)
from quedge.cli.pqc.show import suite_named
from quedge.cli.progress import progress_bars
from quedge.cli.traces import ArrivalTrace, ChannelTrace, LayoutOption, read_traces
from quedge.cli.usage import refusing
from quedge.errors import check_installed, not_allowed
from quedge.files.scenario import Preset, read_scenario
from quedge.model.scenario import Scenario
from quedge.policy.baselines import BestSingle
from quedge.pqc.suite import SUITES
from quedge.service.settings import poll_directly
from quedge.simulation.run import simulate
from quedge.simulation.world import draw_world

if TYPE_CHECKING:
    from quedge.emulator.audit import Findings
    from quedge.emulator.uploads import Secured

_FRAMES = 2000
_MAX_RATE_HZ = 1e6
_MAX_PATIENCE_S = 1e5
_FAILED, _INTERRUPTED = 1, 130


def emulate_devices(
    connect: Annotated[str, value_option(parse_target, "HOST:PORT", "Where the service listens.")],
    scenario: options.ScenarioFile = None,
    devices: Annotated[int | None, integer_option(1, 10_000, "Number of devices; without it, the scenario's.")] = None,
    frames: Annotated[
        int | None, frames_option(f"Frames to play; without it, {_FRAMES:,}, or as many as the traces hold.")
    ] = None,
    rate: Annotated[float, value_option(positive_to(_MAX_RATE_HZ), "HZ", "Frames per second.")] = 200.0,
    settings: options.Settings = None,
    seed: options.Seed = 0,
    base_station: Annotated[
        str, typer.Option(metavar="NAME", help="The base station's name; each has a cell of its own.")
    ] = "base-station",
    as_base_station: Annotated[
        bool, typer.Option("--as-base-station", help="One stream reports for all devices; else each has its own.")
    ] = False,
    gateways: Annotated[
        int | None,
        integer_option(1, 10_000, "Gateways that report for groups of devices, a stream each.", "--gateways"),
    ] = None,
    patience: Annotated[
        float,
        value_option(
            positive_to(_MAX_PATIENCE_S),
            "S",
            "How long to wait for an answer; longer than the service's --deadline-ms.",
        ),
    ] = 60.0,
    loss: Annotated[float, value_option(parse_share, "SHARE", "Share of the devices' reports that are lost.")] = 0.0,
    churn: Annotated[
        float, value_option(parse_share, "SHARE", "Probability per frame that a device leaves, for 1 to 20 frames.")
    ] = 0.0,
    channel_trace: ChannelTrace = None,
    arrival_trace: ArrivalTrace = None,
    layout: LayoutOption = None,
    pqc: Annotated[
        str | None,
        typer.Option(
            metavar="SUITE",
            autocompletion=complete_suites,
            help=f"Offloading devices upload records secured by this suite: {', '.join(SUITES)}.",
        ),
    ] = None,
    pqc_share: Annotated[
        float, value_option(positive_to(1.0), "SHARE", "Share of the decided bits that are uploaded.")
    ] = 0.01,
    ca: Annotated[Path | None, typer.Option(help="TLS: certificate of the CA that signed the service's (PEM).")] = None,
    cert: Annotated[Path | None, typer.Option(help="TLS: own certificate, where the service asks for one.")] = None,
    key: Annotated[Path | None, typer.Option(help="TLS: key of the own certificate.")] = None,
    as_json: options.AsJson = False,
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
        traces = read_traces(channel_trace, arrival_trace, layout)
        cell = read_scenario(scenario, settings or (), traces.devices, presets).scenario
        count = frames or traces.frames or _FRAMES
        if gateways is not None and as_base_station:
            raise ValueError(f"--gateways: {gateways} is not allowed beside --as-base-station")
        if gateways is not None and gateways > cell.devices:
            raise not_allowed("--gateways", gateways, f"at most {cell.devices}, the number of devices")
        world = draw_world(cell, count, seed, traces.channel, traces.arrivals)
    live = None if pqc is None else _live_suite(pqc)
    target = Target(connect, base_station, credentials, rate, as_base_station, gateways or 0, patience, live, pqc_share)
    with refusing():
        workload = workload_of(world, seed, loss, churn)
    with explained_pause():
        simulate(Scenario(devices=2), BestSingle(), frames=2)  # what checks answers is compiled before the first frame
    with progress_bars(count) as progress:
        found = emulate(cell, workload, target, lambda done: progress("emulate", done))
    _tell(found, rate, as_json)
    if found.interrupted:
        raise typer.Exit(_INTERRUPTED)
    if found.trouble or found.violations or not found.answered:
        raise typer.Exit(_FAILED)


def _live_suite(name: str) -> Any:
    """A suite whose algorithms the installed libraries run."""
    from quedge.pqc.uplink.algorithms import live_suite

    with refusing():
        suite = suite_named("--pqc", name)
    with refusing("--pqc"):
        return live_suite(suite)


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
    counts = (
        "devices", "frames", "answered", "reports", "lost", "away", "refused", "served_frames", "late", "policy_failed",
        "fallback", "violations",
    )  # fmt: skip
    told: dict[str, object] = {name: getattr(found, name) for name in counts}
    told |= {"described": list(found.described), "rate_hz": rate, "rate_achieved_hz": found.rate_hz}
    told |= {f"round_trip_ms_{mark}": found.round_trip_ms.get(mark) for mark in ("p50", "p95", "p99", "max")}
    told |= {"interrupted": found.interrupted, "trouble": found.trouble}
    if found.secured is not None:
        parts = ("uploads", "rejected", "left_out", "task_bytes", "payload_factor", "payload_factor_predicted")
        told |= {f"secured_{name}": getattr(found.secured, name) for name in parts}
        told["secured_bytes"] = found.secured.wire_bytes
    return told


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
