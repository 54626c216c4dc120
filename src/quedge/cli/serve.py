"""`quedge serve`: the controller as a gRPC service."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quedge.cli import options
from quedge.cli.compiling import explained_pause
from quedge.cli.configured import configured
from quedge.cli.options import (
    number_from,
    number_to,
    parse_connect_address,
    parse_listen_address,
    parse_path,
    positive_to,
    value_option,
)
from quedge.cli.serving.let_in import check_coap_options, guard_of, secured_by
from quedge.cli.serving.served import read_basis, shadow_of, with_same_policies
from quedge.cli.serving.together import allowed_stations, check_several, check_state_options
from quedge.cli.usage import UsageError, refusing
from quedge.controller.engine import Pace
from quedge.controller.journal import Durability
from quedge.controller.state import StateError
from quedge.errors import check_installed
from quedge.service.cells import MAX_CELLS
from quedge.service.limits import DEFAULT_RATES, Rates
from quedge.service.processes.order import taken_order
from quedge.service.settings import (
    Address,
    Rendering,
    Running,
    Tls,
    allow_descriptors,
    cpu_latency_lock,
    poll_directly,
    refuse_tls_1_2,
)
from quedge.service.tls.access import AccessPolicy

if TYPE_CHECKING:
    from quedge.service.processes.supervisor import Several
    from quedge.service.server import Service

_SWITCH_INTERVAL_S = 5e-4  # a thread that computes gives way to the one that answers ten times sooner than usual
_MAX_DEADLINE_S = 0.02
_MAX_STATIONS = 10_000
_MAX_PROCESSES = 64
_LEASE_MS = 2_000.0
_LEAST_LEASE_MS = 200.0
_positive_ms = positive_to(3.6e6)
_LIBRARIES = {
    "grpc": "grpcio",
    "google.protobuf": "protobuf",
    "prometheus_client": "prometheus-client",
    "structlog": "structlog",
    "grpc_health": "grpcio-health-checking",
    "grpc_reflection": "grpcio-reflection",
}

_ADDRESS = Address("127.0.0.1", 50_051)


def parse_milliseconds(text: str) -> float:
    """A positive time in milliseconds, as seconds."""
    return _positive_ms(text) / 1e3


def parse_lease(text: str) -> float:
    """A time in milliseconds, as seconds, in which several signs of life of a standby have room."""
    return number_from(_LEAST_LEASE_MS, 3.6e6)(text) / 1e3


parse_rate = number_to(1e9)
"""A number a second; 0 for no limit."""


def default_deadline_s(frame_s: float) -> float:
    """The default deadline of a frame of self-reporting devices: half the frame's length, 20 ms at most (s)."""
    return min(0.5 * frame_s, _MAX_DEADLINE_S)


@configured("QUEDGE_SERVE")
def serve(
    scenario: options.ScenarioFile = None,
    policy: options.OnePolicy = None,
    learn: Annotated[bool, typer.Option("--learn", help="Let a learning policy learn as it serves.")] = False,
    agent: options.AgentFile = None,
    learner: options.LearnerSettings = None,
    shadow: Annotated[
        str | None,
        typer.Option(
            "--shadow",
            metavar="POLICY",
            help="A second policy that decides beside and is never sent; --metrics shows how it compares.",
            autocompletion=options.complete_policies,
        ),
    ] = None,
    shadow_agent: Annotated[
        Path | None, value_option(parse_path, "FILE", "A trained agent, or its exported actor, for --shadow.")
    ] = None,
    settings: options.Settings = None,
    seed: options.Seed = 0,
    listen: Annotated[
        Address | None, value_option(parse_listen_address, "HOST:PORT", "Where to listen; without it, 127.0.0.1:50051.")
    ] = None,
    state: Annotated[
        Path | None, value_option(parse_path, "DIR", "Folder for the state; without it, none survives.")
    ] = None,
    migrate: Annotated[
        bool,
        typer.Option("--migrate", help="Take over cells that were served under another V, ν, weights or the like."),
    ] = False,
    new: Annotated[
        bool,
        typer.Option("--new", help="Begin cells anew whose state is incomplete, foreign or damaged; it is set aside."),
    ] = False,
    max_stations: Annotated[
        int, options.integer_option(1, _MAX_STATIONS, "Largest number of base stations.", "--max-stations")
    ] = MAX_CELLS,
    stations: Annotated[
        list[str] | None,
        typer.Option(
            "--station", metavar="NAME", help="A base station that may report; without it, any. Can be given again."
        ),
    ] = None,
    processes: Annotated[
        int,
        options.integer_option(1, _MAX_PROCESSES, "Number of processes that serve, behind one address.", "--processes"),
    ] = 1,
    durability: Annotated[
        Durability, typer.Option(help="What an acknowledged frame survives: a killed process, or a power failure.")
    ] = Durability.PROCESS,
    late_ms: Annotated[
        float | None, value_option(parse_milliseconds, "MS", "A report that waited longer is decided by best-single.")
    ] = None,
    deadline_ms: Annotated[
        float | None,
        value_option(
            parse_milliseconds,
            "MS",
            "How long a frame waits for devices that report late; without it, 20 ms, half a frame at most.",
        ),
    ] = None,
    allow_standby: Annotated[
        bool, typer.Option("--allow-standby", help="Let a standby keep a copy of the state, and take over.")
    ] = False,
    standby_of: Annotated[
        Address | None,
        value_option(parse_connect_address, "HOST:PORT", "Follow the service there, and take over once it is gone."),
    ] = None,
    lease_ms: Annotated[
        float,
        value_option(parse_lease, "MS", "How long a standby may be silent before the service goes on without it."),
    ] = _LEASE_MS,
    alone: Annotated[
        bool, typer.Option("--alone", help="Serve though a standby may have taken over: it has not.")
    ] = False,
    standby_ca: Annotated[
        Path | None, value_option(parse_path, "FILE", "CA of the service that is followed (PEM).")
    ] = None,
    standby_cert: Annotated[
        Path | None, value_option(parse_path, "FILE", "The certificate that is shown to it, of the name standby (PEM).")
    ] = None,
    standby_key: Annotated[Path | None, value_option(parse_path, "FILE", "Its key.")] = None,
    coap: Annotated[
        Address | None,
        value_option(parse_listen_address, "HOST:PORT", "Where devices report over CoAP, too: UDP, in plain text."),
    ] = None,
    coap_open: Annotated[
        bool, typer.Option("--coap-open", help="Other machines may do so, on a network that is closed by other means.")
    ] = False,
    tls_cert: Annotated[Path | None, value_option(parse_path, "FILE", "The service's certificate (PEM).")] = None,
    tls_key: Annotated[Path | None, value_option(parse_path, "FILE", "Its key.")] = None,
    client_ca: Annotated[
        Path | None, value_option(parse_path, "FILE", "CA of the clients (PEM); nobody else is answered.")
    ] = None,
    tls_require_hybrid: Annotated[
        bool, typer.Option("--tls-require-hybrid", help="Refuse connections without X25519MLKEM768 key exchange.")
    ] = False,
    bind_names: Annotated[
        bool | None,
        typer.Option(
            "--bind-names/--any-name",
            help="Over TLS a client speaks only for base stations that its certificate names, or for any.",
        ),
    ] = None,
    report_rate: Annotated[
        float, value_option(parse_rate, "N", "Most reports a second of a client, and of a base station; 0: no limit.")
    ] = DEFAULT_RATES.reports,
    refusal_rate: Annotated[
        float, value_option(parse_rate, "N", "Most refused reports a second of a client; 0: no limit.")
    ] = DEFAULT_RATES.refusals,
    checkpoint_rate: Annotated[
        float,
        value_option(
            parse_rate, "N", "Most checkpoints a second that a client, or for a station, asks for; 0: no limit."
        ),
    ] = DEFAULT_RATES.checkpoints,
    metrics: Annotated[
        Address | None,
        value_option(parse_listen_address, "HOST:PORT", "Where to serve /metrics, /healthz, /readyz and a live page."),
    ] = None,
    metrics_token: Annotated[
        Path | None,
        value_option(parse_path, "FILE", "A secret that whoever looks there has to show, as a bearer token."),
    ] = None,
    metrics_tls: Annotated[
        bool,
        typer.Option(
            "--metrics-tls",
            help="HTTPS there, by the service's certificate; without a token, for clients of the --client-ca only.",
        ),
    ] = False,
    keep_awake: Annotated[
        bool, typer.Option("--keep-awake", help="Keep processors awake between frames: sooner answers, for more power.")
    ] = False,
    log: Annotated[Rendering, typer.Option(help="Format of the log lines, on standard error.")] = Rendering.JSON,
    otel: Annotated[
        bool,
        typer.Option("--otel", help="A span of OpenTelemetry for each frame, by the SDK that the process is run with."),
    ] = False,
    config: Annotated[
        Path | None, value_option(parse_path, "FILE", "Options as TOML keys, where they are given nowhere else.")
    ] = None,
) -> None:
    """Serve decisions over gRPC: a base station or its devices report each frame and receive the decision.

    Ends on SIGTERM or Ctrl-C, with the state kept. SIGHUP has scenario and agent read once more: what may change while
    queues are kept is served from then on. Without --late-ms a report is late after half a frame. Each option may also
    stand in the environment, --max-stations as QUEDGE_SERVE_MAX_STATIONS, or in the file of --config, as
    max-stations = 4; the command line comes before the environment, and that before the file.
    """
    for module, library in _LIBRARIES.items():
        check_installed(module, "quedge serve", library, "serve")
    if otel:
        check_installed("opentelemetry", "--otel", "opentelemetry-api", "otel")
    with refusing():
        order = taken_order()
    poll_directly()
    if tls_require_hybrid and tls_cert is not None:
        refuse_tls_1_2()
    from quedge.service.client.connection import credentials_of
    from quedge.service.pairing import Pair
    from quedge.service.processes.own_process import OwnProcess
    from quedge.service.processes.supervisor import Several
    from quedge.service.server import Service, run, warm_up
    from quedge.service.standby import First

    with refusing():
        read = partial(read_basis, scenario, tuple(settings or ()), policy, tuple(learner or ()), agent, learn, seed)
        name, basis = read()
        frame_s, beside = basis.scenario.frame_s, shadow_of(shadow, shadow_agent, basis)
        if beside is not None and metrics is None:
            raise ValueError("--shadow: is not allowed without --metrics, where its numbers are seen")
        allowed = allowed_stations(stations or [], max_stations)
        if bind_names and tls_cert is None:
            raise ValueError("--bind-names: is not allowed without TLS: --tls-cert, --tls-key and --client-ca")
        about_state = {
            "--new": new, "--migrate": migrate, "--allow-standby": allow_standby,
            "--standby-of": standby_of is not None, "--alone": alone,
        }  # fmt: skip
        check_state_options(about_state, state is not None)
        if processes > 1:
            given = {option: about_state[option] for option in ("--standby-of", "--allow-standby", "--alone")}
            check_several(state, given | {"--shadow": beside is not None, "--coap": coap is not None})
        access = AccessPolicy(hybrid_only=tls_require_hybrid, bind_names=bind_names is not False)
        secured = secured_by(listen or _ADDRESS, tls_cert, tls_key, client_ca, access)
        check_coap_options(coap, coap_open, secured)
        shown = credentials_of(
            None, standby_ca, standby_cert, standby_key, ("--standby-ca", "--standby-cert", "--standby-key")
        )
        follows = None if standby_of is None else First(standby_of, shown)
        pair = Pair(follows, lease_ms if allow_standby else None, alone)
        guard = guard_of(metrics, metrics_token, metrics_tls, secured)
        awake = cpu_latency_lock() if keep_awake else contextlib.nullcontext()
    if metrics is not None:
        metrics = metrics._replace(host=metrics.host.strip("[]"))  # gRPC takes IPv6 in brackets, a web server without
    where = listen or _ADDRESS
    if processes > 1 and order is None and state is not None:
        several = Several(processes, where, state, max_stations, metrics, guard, log)
        with awake, _sighup_ignored():
            raise typer.Exit(_supervised(several, partial(_print_ready, name, secured, state, durability, processes)))
    own = None if order is None else OwnProcess(order)
    where = where if own is None else where._replace(port=own.port)
    service = Service(
        basis=basis,
        reread=lambda: with_same_policies(name, beside, *read()),
        policy=name,
        shadow=beside,
        max_base_stations=max_stations,
        base_stations=allowed,
        listen=where,
        deadline_s=deadline_ms or default_deadline_s(frame_s),
        pace=Pace(late_s=late_ms or 0.5 * frame_s),
        state=state,
        migrates=migrate,
        begins_anew=new and (own is None or not own.again),
        durability=durability,
        tls=secured,
        metrics=metrics,
        guard=guard,
        rendering=log,
        traced=otel,
        rates=Rates(report_rate, refusal_rate, checkpoint_rate),
        pair=pair,
        coap=coap,
        process=own,
    )
    allow_descriptors()

    def prepare(tell: Callable[[], None]) -> None:
        with explained_pause(explain=tell):
            warm_up(basis.fresh)
            if beside is not None:
                warm_up(beside.fresh(basis))

    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    with awake, _sighup_ignored():
        try:
            run(service, partial(_told_ready, service), prepare)
        except (StateError, ValueError) as error:
            raise UsageError(str(error)) from None


@contextlib.contextmanager
def _sighup_ignored() -> Iterator[None]:
    """Ignore SIGHUP until the service takes reports, and once it takes no more."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _supervised(several: Several, ready: Callable[[Running], None]) -> int:
    """The exit status of a service of several processes."""
    from quedge.service.processes.supervisor import supervise

    allow_descriptors()
    try:
        return supervise(several, ready)
    except (StateError, ValueError) as error:
        raise UsageError(str(error)) from None


def _told_ready(service: Service, running: Running) -> None:
    """Tell that reports are taken: whoever reads, or the process that looks after this one and others."""
    if service.process is not None:
        service.process.ready()
    else:
        _print_ready(service.policy, service.tls, service.state, service.durability, 1, running)


def _print_ready(
    policy: str, tls: Tls | None, state: Path | None, durability: Durability, processes: int, running: Running
) -> None:
    kept = "nothing survives: no --state" if state is None else f"state in {state} ({durability.value})"
    secured = "plain text" if tls is None else "mutual TLS"
    secured += f"; CoAP on {running.coap_at}" if running.coap_at else ""
    several = f"; {processes} processes" if processes > 1 else ""
    seen = f"; seen at {running.seen_at}" if running.seen_at else ""
    with contextlib.suppress(OSError):  # a service serves, whoever reads
        print(f"Serving {policy} on {running.address}; {secured}; {kept}{several}{seen}.", flush=True)
