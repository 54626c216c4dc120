"""`quedge serve`: the controller as a service."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from quedge.controller.books import Books
from quedge.controller.controller import Controller, Standing
from quedge.controller.engine import Pace
from quedge.controller.journal import Durability, StateError
from quedge.experiments.fingerprint import plain, scenario_object
from quedge.interfaces.agent_file import read_agent
from quedge.interfaces.cli.compiling import explained_pause
from quedge.interfaces.cli.options import AgentFile, LydrooSettings, ScenarioFile, Seed, Settings
from quedge.interfaces.cli.refusing import UsageError, place_of, refusing
from quedge.interfaces.lydroo_settings import CRITICS
from quedge.interfaces.policies import POLICIES, check_devices, policies_by_name
from quedge.interfaces.scenario_file import read_scenario
from quedge.model.extras import check_installed
from quedge.model.scenario import Scenario
from quedge.policy.lydroo import AgentState
from quedge.policy.policy import Learner, Policy

_SWITCH_INTERVAL_S = 5e-4  # a thread that computes gives way to the one that answers ten times sooner than usual
_MOST_MS = 3.6e6


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int


_ADDRESS = Address("127.0.0.1", 50_051)


def address_of(text: str) -> Address:
    """HOST:PORT; an IPv6 address stands in brackets."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise typer.BadParameter(f"{text[:60]!r} is not allowed; it must be HOST:PORT, such as 127.0.0.1:50051.")
    return Address(host, int(port))


def milliseconds_of(text: str) -> float:
    """A positive time in milliseconds, as seconds."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value <= _MOST_MS:
        raise typer.BadParameter(f"{text[:60]!r} is not allowed; it must be a number above 0, at most {_MOST_MS:g}.")
    return value / 1e3


def serve(
    scenario: ScenarioFile = None,
    policy: Annotated[str | None, typer.Option(help=f"Who decides: {', '.join(POLICIES)}; exact without.")] = None,
    learn: Annotated[bool, typer.Option("--learn", help="Let a learning policy learn as it serves.")] = False,
    agent: AgentFile = None,
    lydroo: LydrooSettings = None,
    settings: Settings = None,
    seed: Seed = 0,
    listen: Annotated[
        Address | None,
        typer.Option(parser=address_of, metavar="HOST:PORT", help="Where to take reports; 127.0.0.1:50051 without."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(parser=place_of, metavar="DIR", help="Folder for what survives; without, nothing does."),
    ] = None,
    durability: Annotated[
        Durability, typer.Option(help="What an acknowledged frame survives: the process's end, or the power's.")
    ] = Durability.PROCESS,
    late_ms: Annotated[
        float | None,
        typer.Option(
            parser=milliseconds_of, metavar="MS", help="A report that waited longer is decided by best-single."
        ),
    ] = None,
    deadline_ms: Annotated[
        float | None,
        typer.Option(parser=milliseconds_of, metavar="MS", help="When a frame of self-reporting devices closes."),
    ] = None,
) -> None:
    """Serve decisions over gRPC: a base station or its devices report each frame, and are told what to do.

    Ends on SIGTERM or Ctrl-C, with the state kept. Without --late-ms and --deadline-ms both are half a frame.
    """
    check_installed("grpc", "quedge serve", "grpcio", "serve")
    with refusing():
        given = read_scenario(scenario, settings or ()).scenario
        name, chosen, start = _policy_of(policy, lydroo or (), agent, learn)
        check_devices({name: chosen}, given.devices)
        determined_by = _determined_by(given, chosen, start, seed)
    half_frame_s = 0.5 * given.frame_s
    pace = Pace(late_s=late_ms or half_frame_s)
    fresh = _fresh(given, chosen, start, seed)
    _run(fresh, name, listen or _ADDRESS, state, durability, pace, determined_by, deadline_ms or half_frame_s)


def _run(
    fresh: Callable[[], Controller],
    name: str,
    listen: Address,
    state: Path | None,
    durability: Durability,
    pace: Pace,
    determined_by: str,
    deadline_s: float,
) -> None:
    from quedge.interfaces.service.cells import Cells, StateFolder
    from quedge.interfaces.service.server import Listening
    from quedge.interfaces.service.server import serve as serve_cells
    from quedge.interfaces.service.warm_up import warm_up

    def ready(port: int) -> None:
        kept = f"state in {state} ({durability.value})" if state else "nothing survives: no --state"
        print(f"Serving {name} on {listen.host}:{port}; {kept}.", flush=True)

    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        folder = None if state is None else StateFolder(state, determined_by, durability)
        with explained_pause():
            warm_up(fresh)
        cells = Cells(fresh, folder, pace)
        asyncio.run(serve_cells(cells, name, Listening(*listen), deadline_s, ready))
    except StateError as error:
        raise UsageError(str(error)) from None


def _policy_of(
    name: str | None, lydroo: list[str] | tuple[str, ...], agent: Path | None, learn: bool
) -> tuple[str, Policy | Learner, AgentState | None]:
    """The policy, its name, and where its learning begins if not at the beginning.

    Raises:
        ValueError: options that contradict each other; the message names them.
    """
    ((name, chosen),) = policies_by_name([] if name is None else [name], lydroo, agent).items()
    if learn and name not in CRITICS:
        raise ValueError(f"--learn: {name} does not learn; it is for {', '.join(CRITICS)}")
    if name in CRITICS and not learn and agent is None:
        raise ValueError(f"--policy {name}: must be given --agent FILE, a trained agent, or --learn")
    if not learn or agent is None:
        return name, chosen, None
    held = read_agent(agent)
    return name, dataclasses.replace(held.settings, allocator=CRITICS[name]), held.state


def _fresh(
    scenario: Scenario, policy: Policy | Learner, start: AgentState | None, seed: int
) -> Callable[[], Controller]:
    """What makes a controller that stands at its beginning."""

    def fresh() -> Controller:
        controller = Controller(scenario, policy, seed)
        if start is not None:
            controller.stand(Standing(Books.of(scenario.devices), controller.standing().random_state, start))
        return controller

    return fresh


def _determined_by(scenario: Scenario, policy: Policy | Learner, start: AgentState | None, seed: int) -> str:
    """What the answers depend on besides the reports."""
    began = None if start is None else plain({"frames": start.frames, **start.weights})
    found = {"scenario": scenario_object(scenario), "policy": plain(policy), "began": began, "seed": seed}
    return json.dumps(found, sort_keys=True)
