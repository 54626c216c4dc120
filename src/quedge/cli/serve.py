"""`quedge serve`: the controller as a service."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quedge.cli import completing
from quedge.cli.options import (
    AgentFile,
    LearnerSettings,
    ScenarioFile,
    Seed,
    Settings,
    UsageError,
    listening_of,
    place_of,
    positive_to,
    refusing,
)
from quedge.cli.progress import explained_pause
from quedge.controller.controller import Controller, Standing
from quedge.controller.engine import Pace
from quedge.controller.journal import Durability, StateError
from quedge.controller.state import Books
from quedge.errors import check_installed
from quedge.experiments.fingerprint import plain, scenario_object
from quedge.files.agent import read_agent
from quedge.files.exported import SUFFIX
from quedge.files.policies import ALLOWED, POLICIES, check_devices, policies_by_name
from quedge.files.scenario import read_scenario
from quedge.model.scenario import Scenario
from quedge.policy.learners import LEARNERS
from quedge.policy.lydroo import AgentState, Resumable
from quedge.policy.policy import Learner, Policy, is_learner
from quedge.service.settings import Address, Rendering, Tls, kept_awake, poll_directly
from quedge.service.tls.access import Admission, check_complete, check_listening
from quedge.service.tls.files import server_credentials

if TYPE_CHECKING:
    from quedge.service.server import Running, Service

_SWITCH_INTERVAL_S = 5e-4  # a thread that computes gives way to the one that answers ten times sooner than usual
_MOST_WAITING_FOR_DEVICES_S = 0.02
_positive_ms = positive_to(3.6e6)
_LIBRARIES = {
    "grpc": "grpcio",
    "google.protobuf": "protobuf",
    "prometheus_client": "prometheus-client",
    "structlog": "structlog",
}

_ADDRESS = Address("127.0.0.1", 50_051)


def milliseconds_of(text: str) -> float:
    """A positive time in milliseconds, as seconds."""
    return _positive_ms(text) / 1e3


def default_deadline_s(frame_s: float) -> float:
    """When a frame of self-reporting devices closes where nobody says so: half a frame, 20 ms at most (s).

    Args:
        frame_s: length of a frame (s).
    """
    return min(0.5 * frame_s, _MOST_WAITING_FOR_DEVICES_S)


def serve(
    scenario: ScenarioFile = None,
    policy: Annotated[
        str | None, typer.Option(help=f"Who decides: {ALLOWED}; exact without.", autocompletion=completing.policies)
    ] = None,
    learn: Annotated[bool, typer.Option("--learn", help="Let a learning policy learn as it serves.")] = False,
    agent: AgentFile = None,
    learner: LearnerSettings = None,
    settings: Settings = None,
    seed: Seed = 0,
    listen: Annotated[
        Address | None,
        typer.Option(parser=listening_of, metavar="HOST:PORT", help="Where to take reports; 127.0.0.1:50051 without."),
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
        typer.Option(
            parser=milliseconds_of,
            metavar="MS",
            help="How long a frame of self-reporting devices waits for the rest; 20 without, half a frame at most.",
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(parser=place_of, metavar="FILE", help="The service's certificate (PEM).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(parser=place_of, metavar="FILE", help="Its key.")] = None,
    client_ca: Annotated[
        Path | None,
        typer.Option(parser=place_of, metavar="FILE", help="CA of the clients; nobody else is answered."),
    ] = None,
    tls_require_hybrid: Annotated[
        bool, typer.Option("--tls-require-hybrid", help="Refuse connections without X25519MLKEM768 key exchange.")
    ] = False,
    bind_names: Annotated[
        bool,
        typer.Option("--bind-names", help="A client speaks only for base stations that its certificate names."),
    ] = False,
    metrics: Annotated[
        Address | None,
        typer.Option(
            parser=listening_of,
            metavar="HOST:PORT",
            help="Where to see it: /metrics, /healthz, /readyz, a live page.",
        ),
    ] = None,
    keep_awake: Annotated[
        bool,
        typer.Option("--keep-awake", help="Processors do not sleep between frames: sooner answers, for more power."),
    ] = False,
    log: Annotated[Rendering, typer.Option(help="How log lines are written, on standard error.")] = Rendering.JSON,
) -> None:
    """Serve decisions over gRPC: a base station or its devices report each frame, and are told what to do.

    Ends on SIGTERM or Ctrl-C, with the state kept, and not on SIGHUP. Without --late-ms a report is late after half a
    frame.
    """
    for module, library in _LIBRARIES.items():
        check_installed(module, "quedge serve", library, "serve")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # it tells of each refused handshake otherwise
    poll_directly()
    from quedge.service.server import Service, run, warm_up

    with refusing():
        given = read_scenario(scenario, settings or ()).scenario
        name, chosen, start = _policy_of(policy, learner or (), agent, learn)
        check_devices({name: chosen}, given.devices)
        determined_by = _determined_by(given, chosen, start, seed)
        admission = Admission(hybrid_only=tls_require_hybrid, bind_names=bind_names)
        secured = _secured(listen or _ADDRESS, tls_cert, tls_key, client_ca, admission)
        awake = kept_awake() if keep_awake else contextlib.nullcontext()
    if metrics is not None:
        metrics = metrics._replace(host=metrics.host.strip("[]"))  # gRPC takes IPv6 in brackets, a web server without
    service = Service(
        fresh=_fresh(given, chosen, start, seed),
        policy=name,
        power_budget_w=given.per_device("power_budget_w"),
        determined_by=determined_by,
        listen=listen or _ADDRESS,
        deadline_s=deadline_ms or default_deadline_s(given.frame_s),
        pace=Pace(late_s=late_ms or 0.5 * given.frame_s),
        state=state,
        durability=durability,
        tls=secured,
        metrics=metrics,
        rendering=log,
    )
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    with awake, _hangups_ignored():
        with explained_pause():
            warm_up(service.fresh)
        try:
            run(service, lambda running: _tell_ready(service, running))
        except (StateError, ValueError) as error:
            raise UsageError(str(error)) from None


@contextlib.contextmanager
def _hangups_ignored() -> Iterator[None]:
    """Whoever started the service may go: a terminal that closes does not end it, nor does who would have it reload."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _tell_ready(service: Service, running: Running) -> None:
    kept = "nothing survives: no --state"
    if service.state is not None:
        kept = f"state in {service.state} ({service.durability.value})"
    secured = "plain text" if service.tls is None else f"mutual TLS, key exchange {running.group}"
    seen = f"; seen at {running.seen_at}" if running.seen_at else ""
    with contextlib.suppress(OSError):  # a service serves, whoever reads
        print(f"Serving {service.policy} on {running.address}; {secured}; {kept}{seen}.", flush=True)


def _secured(
    listen: Address, certificate: Path | None, key: Path | None, client_ca: Path | None, admission: Admission
) -> Tls | None:
    """How streams are secured.

    Raises:
        ValueError: files that do not go together, or plain text where others can listen; the message names the option.
    """
    has_tls = check_complete(certificate, key, client_ca)
    check_listening(listen.host, has_tls)
    if certificate is None or key is None or client_ca is None:
        asked = {"--tls-require-hybrid": admission.hybrid_only, "--bind-names": admission.bind_names}
        for option, is_asked in asked.items():
            if is_asked:
                raise ValueError(f"{option}: is not allowed without TLS: --tls-cert, --tls-key and --client-ca")
        return None
    return Tls(server_credentials(certificate, key, client_ca), admission)


def _policy_of(
    name: str | None, lydroo: list[str] | tuple[str, ...], agent: Path | None, learn: bool
) -> tuple[str, Policy | Learner, AgentState | None]:
    """The policy, its name, and where its learning begins if not at the beginning.

    Raises:
        ValueError: options that contradict each other; the message names them.
    """
    ((name, chosen),) = policies_by_name([] if name is None else [name], lydroo, agent).items()
    if learn and name not in LEARNERS:
        raise ValueError(f"--learn: {name} does not learn; it is for {', '.join(LEARNERS)}")
    if name in LEARNERS and not learn and agent is None:
        raise ValueError(f"--policy {name}: must be given --agent FILE, a trained agent, or --learn")
    if name not in POLICIES and is_learner(chosen) and not isinstance(chosen, Resumable):
        raise ValueError(f"--policy {name}: learns; of the learners only {', '.join(LEARNERS)} can be served")
    if not learn or agent is None:
        return name, chosen, None
    if agent.suffix == SUFFIX:
        raise ValueError(f"--learn: {agent}: is an exported actor, which learns no more; it must be an agent's file")
    held = read_agent(agent)
    return name, held.settings, held.state


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
