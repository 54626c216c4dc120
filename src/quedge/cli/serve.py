"""`quedge serve`: the controller as a gRPC service."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
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
from quedge.cli.usage import UsageError, refusing
from quedge.controller.engine import Pace
from quedge.controller.journal import Durability
from quedge.controller.state import StateError
from quedge.controller.state_folder import NAME
from quedge.errors import check_installed, not_allowed
from quedge.files.agent import read_agent
from quedge.files.exported import SUFFIX
from quedge.files.fingerprint import plain
from quedge.files.policies import check_devices, policies_by_name
from quedge.files.scenario import read_scenario
from quedge.policy.learners import LEARNERS
from quedge.policy.lydroo import AgentState, Resumable
from quedge.policy.policy import Learner, Policy, is_learner
from quedge.service.basis import Basis
from quedge.service.cells import MAX_CELLS
from quedge.service.limits import DEFAULT_RATES, Rates
from quedge.service.monitoring.web import NO_GUARD, Guard
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
from quedge.service.tls.access import AccessPolicy, check_coap, check_complete, check_listening, check_watched

if TYPE_CHECKING:
    from quedge.service.processes.supervisor import Several
    from quedge.service.server import NamedPolicy, Service

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
        read = partial(_read, scenario, tuple(settings or ()), policy, tuple(learner or ()), agent, learn, seed)
        name, basis = read()
        given, beside = basis.scenario, _shadow_of(shadow, shadow_agent, basis)
        if beside is not None and metrics is None:
            raise ValueError("--shadow: is not allowed without --metrics, where its numbers are seen")
        allowed = _allowed(stations or [], max_stations)
        if bind_names and tls_cert is None:
            raise ValueError("--bind-names: is not allowed without TLS: --tls-cert, --tls-key and --client-ca")
        about_state = {
            "--new": new, "--migrate": migrate, "--allow-standby": allow_standby,
            "--standby-of": standby_of is not None, "--alone": alone,
        }  # fmt: skip
        for option, is_asked in about_state.items():
            if is_asked and state is None:
                raise ValueError(f"{option}: is not allowed without --state, the folder of the cells that it is about")
        for option, is_asked in {"--new": new, "--alone": alone}.items():
            if is_asked and standby_of is not None:
                raise ValueError(f"{option}: is not allowed beside --standby-of; a standby has what the first one has")
        if processes > 1:
            _check_several(state, standby_of is not None, allow_standby, alone, beside is not None, coap is not None)
        access = AccessPolicy(hybrid_only=tls_require_hybrid, bind_names=bind_names is not False)
        secured = _secured(listen or _ADDRESS, tls_cert, tls_key, client_ca, access)
        _check_coap(coap, coap_open, secured)
        shown = credentials_of(
            None, standby_ca, standby_cert, standby_key, ("--standby-ca", "--standby-cert", "--standby-key")
        )
        follows = None if standby_of is None else First(standby_of, shown)
        pair = Pair(follows, lease_ms if allow_standby else None, alone)
        guard = _guard(metrics, metrics_token, metrics_tls, secured)
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
        reread=lambda: _same_policies(name, beside, *read()),
        policy=name,
        shadow=beside,
        max_base_stations=max_stations,
        base_stations=allowed,
        listen=where,
        deadline_s=deadline_ms or default_deadline_s(given.frame_s),
        pace=Pace(late_s=late_ms or 0.5 * given.frame_s),
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


def _allowed(stations: list[str], most: int) -> frozenset[str] | None:
    """The base stations that may report; None for all.

    Raises:
        ValueError: a name that none may have, or more of them than are served.
    """
    for name in stations:
        if not NAME.fullmatch(name):
            raise not_allowed("--station", name, "1 to 64 letters, digits, '.', '_' or '-'")
    if len({*stations}) > most:
        raise not_allowed(
            "--max-stations", most, f"at least {len({*stations})}, the number of names given by --station"
        )
    return frozenset(stations) if stations else None


@contextlib.contextmanager
def _sighup_ignored() -> Iterator[None]:
    """Ignore SIGHUP until the service takes reports, and once it takes no more."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _check_several(
    state: Path | None, follows: bool, is_followed: bool, is_alone: bool, has_shadow: bool, has_coap: bool
) -> None:
    """Refuse what several processes cannot have; the ValueError names it."""
    if sys.platform != "linux":
        raise ValueError("--processes: is not allowed here; only Linux shares connections out among processes")
    if state is None:
        raise ValueError("--processes: is not allowed without --state, by which cells go from one process to another")
    given = {
        "--standby-of": follows, "--allow-standby": is_followed, "--alone": is_alone, "--shadow": has_shadow,
        "--coap": has_coap,
    }  # fmt: skip
    for option, is_given in given.items():
        if is_given:
            raise ValueError(f"{option}: is not allowed with --processes; it is for a service of one process")


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


def _secured(
    listen: Address, certificate: Path | None, key: Path | None, client_ca: Path | None, access: AccessPolicy
) -> Tls | None:
    """The TLS of the streams; None for plain text.

    Raises:
        ValueError: files that do not go together, or plain text where others can listen; the message names the option.
    """
    has_tls = check_complete(certificate, key, client_ca)
    check_listening(listen.host, has_tls)
    if certificate is None or key is None or client_ca is None:
        if access.hybrid_only:
            raise ValueError("--tls-require-hybrid: is not allowed without TLS: --tls-cert, --tls-key and --client-ca")
        return None
    check_installed("cryptography", "TLS", "cryptography", "serve")
    from quedge.service.tls.files import ServerCertificates

    return Tls(ServerCertificates(certificate, key, client_ca), access)


def _check_coap(coap: Address | None, is_open: bool, secured: Tls | None) -> None:
    """Refuse CoAP where it would undo what is asked of others; the ValueError names the option."""
    if coap is None:
        if is_open:
            raise ValueError("--coap-open: is not allowed without --coap, where devices report")
        return
    check_coap(coap.host, is_open)
    if secured is not None and secured.access.hybrid_only:
        raise ValueError("--coap: is not allowed beside --tls-require-hybrid; it has no key exchange")
    if secured is not None and secured.access.bind_names:
        raise ValueError("--coap: is not allowed beside TLS, whose certificates name base stations, without --any-name")


def _guard(seen_at: Address | None, token: Path | None, over_tls: bool, secured: Tls | None) -> Guard:
    """What is to be shown where the service is seen from.

    Raises:
        ValueError: options that do not go together, a token that is none, or anybody's looks where others can connect.
    """
    for option, is_given in (("--metrics-token", token is not None), ("--metrics-tls", over_tls)):
        if is_given and seen_at is None:
            raise ValueError(f"{option}: is not allowed without --metrics, where the service is seen from")
    if over_tls and secured is None:
        raise ValueError("--metrics-tls: is not allowed without TLS: --tls-cert, --tls-key and --client-ca")
    if seen_at is None:
        return NO_GUARD
    check_watched(seen_at.host, token is not None or over_tls)
    shown = None
    if token is not None:
        check_installed("cryptography", "--metrics-token", "cryptography", "serve")
        from quedge.service.tls.files import PemFile, read_token

        shown = read_token(PemFile("--metrics-token", token))
    context = secured.certificates.context(asks_for_certificate=shown is None) if over_tls and secured else None
    return Guard(shown, context)


def _policy_of(
    name: str | None, learner: Sequence[str], agent: Path | None, learn: bool
) -> tuple[str, Policy | Learner, AgentState | None]:
    """The policy's name, the policy, and the agent's state that its learning goes on with, if any.

    Raises:
        ValueError: options that contradict each other; the message names them.
    """
    ((name, chosen),) = policies_by_name([] if name is None else [name], learner, agent).items()
    if learn and name not in LEARNERS:
        raise ValueError(f"--learn: {name} does not learn; it is for {', '.join(LEARNERS)}")
    if name in LEARNERS and not learn and agent is None:
        raise ValueError(f"--policy {name}: must be given --agent FILE, a trained agent, or --learn")
    if is_learner(chosen) and not isinstance(chosen, Resumable):
        does = "learns" if getattr(chosen, "learns", True) else "remembers past frames"
        raise ValueError(f"--policy {name}: {does}; of such policies only {', '.join(LEARNERS)} can be served")
    if not learn or agent is None:
        return name, chosen, None
    if agent.suffix == SUFFIX:
        raise ValueError(f"--learn: {agent}: is an exported actor, which learns no more; it must be an agent's file")
    file = read_agent(agent)
    return name, file.settings, file.state


def _read(
    scenario: Path | None, settings: Sequence[str], policy: str | None, learner: Sequence[str], agent: Path | None,
    learn: bool, seed: int,
) -> tuple[str, Basis]:  # fmt: skip
    """The policy's name, and what is served, from files and options.

    Raises:
        ValueError: what is in them is not allowed; the message names it.
    """
    given = read_scenario(scenario, settings).scenario
    name, chosen, start = _policy_of(policy, learner, agent, learn)
    check_devices({name: chosen}, given.devices)
    basis = Basis(given, chosen, start, seed)
    _ = basis.determined_by  # refuses a policy of which nobody can tell what it depends on
    return name, basis


def _same_policies(name: str, shadow: NamedPolicy | None, again: str, basis: Basis) -> Basis:
    """What is served, read once more; a ValueError where its policies may not go on with it."""
    if again != name:
        raise ValueError(f"--agent: is an agent of {again} now; it must be one of {name}, which serves")
    if shadow is not None:
        check_devices({shadow.name: shadow.policy}, basis.scenario.devices)
    return basis


def _shadow_of(name: str | None, agent: Path | None, basis: Basis) -> NamedPolicy | None:
    """The shadow's policy, if there shall be one.

    Raises:
        ValueError: it is none that can decide beside the one that serves; the message names the option.
    """
    from quedge.service.server import NamedPolicy

    if name is None and agent is None:
        return None
    try:
        name, policy, _ = _policy_of(name, (), agent, learn=False)
        check_devices({name: policy}, basis.scenario.devices)
    except ValueError as error:  # in which these two have the names of those that serve
        told = str(error).replace("--policy", "--shadow").replace("--agent", "--shadow-agent")
        raise ValueError(told.replace(", or --learn", "")) from None
    if plain(policy) == plain(basis.policy):
        raise ValueError(f"--shadow: {name} is what serves already; it must be another policy")
    return NamedPolicy(name, policy)
