"""Who comes to `quedge serve` over TLS is told of, and so is who does not get in."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("grpc")

import grpc

from quedge.service import methods
from quedge.service import quedge_pb2 as pb
from quedge.service.tls.certificates import Written, lifetime, write_folder
from tests.cli.served import QUEDGE, Served, credentials, serving, tls_context, tls_options, until
from tests.service.wire import Stream, asked, connected, frame_report

CLIENTS = ["roof", "quay"]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_folder(tmp_path_factory.mktemp("tls") / "pki", (), CLIENTS, lifetime(1))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Certificates of another authority."""
    return write_folder(tmp_path_factory.mktemp("tls") / "other", (), CLIENTS, lifetime(1))


@pytest.fixture(scope="module")
def service(pki: Written, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("service")
    with serving(folder, *tls_options(pki), "--tls-require-hybrid", "--metrics", "127.0.0.1:0") as served:
        yield served


def say(service: Served, data: bytes) -> str:
    """Send bytes, wait for the end of the connection, and give the address that they came from."""
    with socket.create_connection(("127.0.0.1", service.port), 30) as plain:
        plain.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            while plain.recv(4096):
                pass
        return f"127.0.0.1:{plain.getsockname()[1]}"


def shake(service: Served, context: ssl.SSLContext) -> tuple[str, str | None]:
    """Shake hands and wait for the end; the address, and what was negotiated before."""
    version = None
    with socket.create_connection(("127.0.0.1", service.port), 30) as plain:
        address = f"127.0.0.1:{plain.getsockname()[1]}"
        with contextlib.suppress(OSError), context.wrap_socket(plain, server_hostname="localhost") as secure:
            version = secure.version()
            while secure.recv(4096):
                pass
    return address, version


def failures(service: Served, reason: str) -> float:
    return service.metric(f'quedge_tls_handshake_failures_total{{reason="{reason}"}}')


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"GET / HTTP/1.0\r\n\r\n", "http_request"), (b"\x00" * 64, "wrong_version_number")],
    ids=["plain text", "garbage"],
)
def test_what_is_no_handshake_is_counted_and_told_with_its_address(service: Served, data: bytes, reason: str) -> None:
    before = failures(service, reason)
    address = say(service, data)
    told = service.logged("handshake_failed", reason=reason)
    assert (told["level"], told["peer"], told["count"]) == ("warning", address, 1)
    assert failures(service, reason) == before + 1


def test_a_foreign_certificate_and_none_are_counted_and_told_with_their_address(
    service: Served, pki: Written, other: Written
) -> None:
    foreign = tls_context(pki, ssl.TLSVersion.TLSv1_3)
    foreign.load_cert_chain(*map(str, other.clients["roof"]))
    for context, reason in (
        (foreign, "certificate_verify_failed"),
        (tls_context(pki, ssl.TLSVersion.TLSv1_3), "peer_did_not_return_a_certificate"),
    ):
        address, _ = shake(service, context)
        assert service.logged("handshake_failed", reason=reason)["peer"] == address
        assert failures(service, reason) == 1


def test_three_hundred_handshakes_of_garbage_are_all_counted_and_few_lines_are_written(service: Served) -> None:
    before = failures(service, "wrong_version_number")
    for _ in range(300):
        say(service, b"\x00" * 64)
    until(lambda: failures(service, "wrong_version_number") == before + 300)
    assert len(service.events("handshake_failed")) < 20


def test_tls_1_2_is_refused_in_the_handshake_where_a_hybrid_key_exchange_is_required(
    service: Served, pki: Written
) -> None:
    address, version = shake(service, tls_context(pki, ssl.TLSVersion.TLSv1_2, "roof"))
    assert version is None
    assert service.logged("handshake_failed", reason="no_shared_cipher")["peer"] == address


def test_tls_1_2_is_answered_where_it_is_not(pki: Written, tmp_path: Path) -> None:
    with serving(tmp_path, *tls_options(pki)) as served, socket.create_connection(("127.0.0.1", served.port)) as plain:
        context = tls_context(pki, ssl.TLSVersion.TLSv1_2, "roof")
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            assert secure.version() == "TLSv1.2"


def test_a_stream_is_told_when_it_begins_and_ends_and_a_refusal_with_where_it_came_from(
    service: Served, pki: Written
) -> None:
    with connected(f"127.0.0.1:{service.port}", credentials(pki, "roof")) as channel:
        stream = Stream(channel, methods.SERVE_FRAMES)
        assert stream.ask(frame_report(0)).outcome == pb.SERVED
        assert stream.ask(frame_report(7)).outcome == pb.FUTURE_FRAME
        began = service.logged("stream_began", base_station="roof", method="ServeFrames")
        assert began["peer"].startswith("127.0.0.1:")
        assert service.logged("refused", outcome="future_frame")["peer"] == began["peer"]
        assert service.logged("connected", group="X25519MLKEM768")["peer"] == began["peer"]
        assert service.metric('quedge_open_streams{base_station="roof"}') == 1
        stream.close()
        assert service.logged("stream_ended", base_station="roof", method="ServeFrames")["peer"] == began["peer"]
        assert service.metric('quedge_open_streams{base_station="roof"}') == 0
        assert asked(channel, methods.STATE, pb.StateRequest(base_station="roof")).next_frame == 1


def test_what_grpc_writes_itself_is_in_the_log_s_own_form(service: Served) -> None:
    say(service, b"\x00" * 64)
    lines = service.log()  # each of them is JSON
    assert {"started", "certificate_used", "handshake_failed"} <= {line["event"] for line in lines}
    assert not [line for line in lines if "InitializeLog" in line.get("text", "")]


def test_a_client_speaks_only_for_the_base_stations_that_its_certificate_names(service: Served, pki: Written) -> None:
    with connected(f"127.0.0.1:{service.port}", credentials(pki, "quay")) as channel:
        foreign, own = (asked(channel, methods.DECIDE, frame_report(0, name)) for name in ("roof", "quay"))
    assert (foreign.outcome, foreign.field) == (pb.BAD_NAME, "base_station")
    assert own.outcome == pb.SERVED


def test_a_client_speaks_for_any_base_station_where_that_is_said_and_who_has_the_token_sees_it(
    pki: Written, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("0123456789abcdef\n")
    seen = ["--metrics", "0.0.0.0:0", "--metrics-tls", "--metrics-token", "token"]
    with (
        serving(tmp_path, *tls_options(pki), "--any-name", *seen) as served,
        connected(f"127.0.0.1:{served.port}", credentials(pki, "quay")) as channel,
    ):
        assert asked(channel, methods.DECIDE, frame_report(0, "roof")).outcome == pb.SERVED
        url = served.web.replace("0.0.0.0", "127.0.0.1")
        context = ssl.create_default_context(cafile=str(pki.ca.certificate))
        assert url.startswith("https://")
        with urllib.request.urlopen(url + "readyz", timeout=60, context=context) as reply:
            assert reply.read() == b"OK\n"
        shown = urllib.request.Request(url + "metrics", headers={"Authorization": "Bearer 0123456789abcdef"})
        with urllib.request.urlopen(shown, timeout=60, context=context) as reply:
            assert b'quedge_next_frame{base_station="roof"} 1.0' in reply.read()


def report_on(stream: Stream, report: pb.FrameReport) -> None:
    for _ in range(5000):
        stream.ask(report)


def test_who_reports_nonsense_on_and_on_is_sent_away_and_told_of_and_disturbs_nobody(
    service: Served, pki: Written
) -> None:
    target = f"127.0.0.1:{service.port}"
    with connected(target, credentials(pki, "roof")) as good, connected(target, credentials(pki, "quay")) as bad:
        steady, wild = Stream(good, methods.SERVE_FRAMES), Stream(bad, methods.SERVE_FRAMES)
        due = asked(good, methods.STATE, pb.StateRequest(base_station="roof")).next_frame
        assert steady.ask(frame_report(due)).outcome == pb.SERVED
        with pytest.raises(grpc.RpcError):
            report_on(wild, frame_report(1_000_000, "quay"))
        code, said = wild.status()
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert said.startswith("more than 50 refused reports a second of this client; the service's --refusal-rate")
        assert steady.ask(frame_report(due + 1)).outcome == pb.SERVED
        assert service.logged("limited", limit="refusals")["peer"].startswith("127.0.0.1:")
        assert service.metric('quedge_limited_total{limit="refusals"}') >= 1


def test_what_the_page_on_tls_says_works_as_it_stands(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "service-tls.md").read_text(encoding="utf-8")
    init, serve = re.findall(r"^    quedge (tls-init .*|serve .*)$", page, re.MULTILINE)[:2]
    (program,) = re.findall(r"```py\n(.*?)```", page, re.DOTALL)
    subprocess.run([*QUEDGE, *init.partition("#")[0].split()], cwd=tmp_path, check=True, capture_output=True)
    arguments = serve.replace("--listen 0.0.0.0:50051", "").split()[1:]
    with serving(tmp_path, *arguments) as served:
        program = program.replace("edge.example:50051", f"127.0.0.1:{served.port}")
        program += "print(client.decide(0, [1e-11] * 3, [2.0] * 3).frame, client.next_frame())"
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.stderr) == ("0 1\n", "")
