"""The endpoints, and clients that mean no good."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("grpc")
pytest.importorskip("prometheus_client")

from prometheus_client.parser import text_string_to_metric_families

from quedge.service.monitoring import web
from quedge.service.monitoring.endpoints import Reply, endpoints_of
from quedge.service.monitoring.observers import Observers
from quedge.service.monitoring.statistics import Statistics
from quedge.service.monitoring.web import MAX_CLIENTS, Guard, WebServer
from tests.service.monitoring.cells import BUDGET_W, STARTED, Cell

PATIENCE_S = 30.0


class Site:
    """A server with all endpoints, and what stands behind it."""

    def __init__(self) -> None:
        self.health_error: str | None = None
        self.statistics = Statistics(BUDGET_W)
        self.observers = Observers((self.statistics,))
        self.server = WebServer("127.0.0.1", 0, endpoints_of(self.statistics, lambda: self.health_error))

    def ask(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, str]:
        return ask(self.server, path, method, headers)


def ask(
    server: WebServer, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, headers=headers or {})
        reply = connection.getresponse()
        return reply, reply.read().decode()
    finally:
        connection.close()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients get little time."""
    monkeypatch.setattr(web, "MAX_S", 0.5)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients get more time than the tests have patience: who waits for one that hangs fails."""
    monkeypatch.setattr(web, "MAX_S", 10.0 * PATIENCE_S)
    monkeypatch.setattr(web._Handler, "timeout", 10.0 * PATIENCE_S)


def test_metrics_can_be_scraped(site: Site) -> None:
    site.observers.served("roof", Cell().served(), 1e-3)
    reply, text = site.ask("/metrics")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"quedge_decision_seconds", "quedge_frames", "quedge_data_queue_mean_bytes"} <= names


def test_live_data_are_json(site: Site) -> None:
    site.observers.started(STARTED)
    site.observers.served("roof", Cell().served(), 1e-3)
    reply, text = site.ask("/live.json")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    told = json.loads(text)
    assert told["state"] == "ready"
    assert told["base_stations"][0]["name"] == "roof"


def test_health_is_503_with_a_reason_where_something_is_wrong(site: Site) -> None:
    reply, text = site.ask("/healthz")
    assert (reply.status, text) == (200, "well\n")
    site.health_error = "the engine of roof has ended"
    reply, text = site.ask("/healthz")
    assert (reply.status, text) == (503, "the engine of roof has ended\n")


def test_ready_from_the_start_to_the_stop(site: Site) -> None:
    seen = [site.ask("/readyz")]
    for event in (lambda: site.observers.started(STARTED), site.observers.stopping, site.observers.stopped):
        event()
        seen.append(site.ask("/readyz"))
    assert [(reply.status, text.strip()) for reply, text in seen] == [
        (503, "starting"), (200, "ready"), (503, "stopping"), (503, "stopped"),
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["/", "/live.json", "/metrics", "/healthz", "/readyz", "/nothing"])
def test_every_answer_has_the_headers_that_keep_it_safe(site: Site, path: str) -> None:
    reply, text = site.ask(path)
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    policy = reply.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"http|unsafe|\*", policy)
    assert reply.headers["Server"].strip() == "quedge"
    assert int(reply.headers["Content-Length"]) == len(text.encode())


@pytest.mark.parametrize("path", ["/", "/metrics", "/nothing"])
def test_head_is_get_without_a_body(site: Site, path: str) -> None:
    got, _ = site.ask(path)
    reply, text = site.ask(path, "HEAD")
    assert (reply.status, text) == (got.status, "")
    assert int(reply.headers["Content-Length"]) > 0
    if path != "/metrics":  # whose numbers change
        assert reply.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_405(site: Site, method: str) -> None:
    reply, _ = site.ask("/metrics", method)
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/metric", "/metrics/", "/../etc/passwd", "/page.html", "/%2e%2e/", "/static"])
def test_other_paths_are_404(site: Site, path: str) -> None:
    reply, text = site.ask(path)
    assert (reply.status, text) == (404, "Not Found\n")


def test_a_query_is_left_out_of_account(site: Site) -> None:
    reply, _ = site.ask("/healthz?verbose=1")
    assert reply.status == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 200 + b"\r\n", b"431"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
    ],
    ids=["long path", "long header", "many headers", "no HTTP", "another version"],
)
def test_what_is_no_request_is_refused(site: Site, sent: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", site.server.port), 10.0) as client:
        client.sendall(sent)
        received = client.recv(1000)
    assert status in received
    assert b"<" not in received
    assert site.ask("/healthz")[0].status == 200


def test_a_foreign_page_whose_name_leads_here_gets_nothing(site: Site) -> None:
    for host, status in (
        ("evil.example", 403), ("127.0.0.1.evil.example:80", 403), ("localhost.evil.example", 403),
        ("localhost:9000", 200), ("127.0.0.1", 200), ("[::1]:9000", 200),
    ):  # fmt: skip
        assert site.ask("/live.json", headers={"Host": host})[0].status == status, host


@pytest.mark.parametrize("site_asking", ["cross-site", "same-site", "elsewhere"])
def test_a_page_of_another_origin_gets_nothing(site: Site, site_asking: str) -> None:
    for path in ("/", "/metrics", "/live.json", "/nothing"):
        assert site.ask(path, headers={"Sec-Fetch-Site": site_asking})[0].status == 403
    for origin in ("http://127.0.0.1:1", "http://evil.example", "null"):
        assert site.ask("/live.json", headers={"Origin": origin})[0].status == 403
    assert site.ask("/live.json", headers={"Sec-Fetch-Site": "same-origin"})[0].status == 200


def test_a_mistake_of_ours_is_a_500_and_the_next_request_is_answered() -> None:
    def broken() -> Reply:
        raise RuntimeError("a secret")

    with WebServer("127.0.0.1", 0, {"/": broken, "/fine": lambda: Reply(200, "text/plain", b"fine")}) as server:
        reply, text = ask(server, "/")
        assert (reply.status, text) == (500, "RuntimeError\n")
        assert ask(server, "/fine")[1] == "fine"


def ended_within(client: socket.socket, seconds: float) -> bool:
    """Whether the server ends a connection in time."""
    client.settimeout(seconds)
    try:
        while client.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.usefixtures("hasty")
def test_a_client_that_says_nothing_is_sent_away(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.server.port)) as client:
        assert ended_within(client, PATIENCE_S)


@pytest.mark.usefixtures("hasty")
def test_a_client_that_sends_byte_by_byte_is_sent_away(site: Site) -> None:
    def send_on(client: socket.socket) -> None:
        for _ in range(1000):
            client.sendall(b"G")
            time.sleep(0.05)

    with (
        socket.create_connection(("127.0.0.1", site.server.port)) as client,
        pytest.raises(OSError, match=r"reset|[Bb]roken pipe"),
    ):
        send_on(client)


@pytest.mark.usefixtures("hasty")
def test_a_client_that_does_not_read_is_sent_away() -> None:
    asked = threading.Event()

    def big() -> Reply:
        asked.set()
        return Reply(200, "text/plain", b"x" * 50_000_000)

    server = WebServer("127.0.0.1", 0, {"/": big})
    with server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert asked.wait(PATIENCE_S)
        until = time.monotonic() + PATIENCE_S
        while threads() and time.monotonic() < until:
            time.sleep(0.05)
        assert threads() == []
        assert ended_within(client, PATIENCE_S)


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if "process_request_thread" in each.name]


@pytest.mark.usefixtures("unhurried")
def test_others_are_answered_while_many_clients_hang(site: Site) -> None:
    hanging = [socket.create_connection(("127.0.0.1", site.server.port)) for _ in range(5 * MAX_CLIENTS)]
    try:
        for _ in range(3):
            assert site.ask("/healthz")[0].status == 200
        assert len(threads()) <= MAX_CLIENTS
    finally:
        for each in hanging:
            each.close()


def test_one_client_more_than_are_answered_is_turned_away_and_no_answer_is_cut() -> None:
    goes_on, asked, big = threading.Event(), threading.Semaphore(0), b"x" * 3_000_000
    replies: list[tuple[int, int]] = []

    def slow() -> Reply:
        asked.release()
        assert goes_on.wait(10.0)
        return Reply(200, "text/plain", big)

    with WebServer("127.0.0.1", 0, {"/": slow}) as server:

        def client() -> None:
            reply, text = ask(server, "/")
            replies.append((reply.status, len(text)))

        clients = [threading.Thread(target=client) for _ in range(MAX_CLIENTS)]
        for each in clients:
            each.start()
        for _ in clients:
            assert asked.acquire(timeout=10.0)
        reply, text = ask(server, "/")
        assert (reply.status, reply.headers["Retry-After"], text) == (503, "1", "")
        goes_on.set()
        for each in clients:
            each.join()
        assert replies == [(200, len(big))] * MAX_CLIENTS
        assert ask(server, "/")[0].status == 200


@pytest.mark.usefixtures("unhurried")
def test_closing_ends_it_promptly_though_a_client_hangs() -> None:
    site = Site()
    with socket.create_connection(("127.0.0.1", site.server.port)) as client:
        client.sendall(b"GET /metrics HTT")
        time.sleep(0.2)
        closing = threading.Thread(target=site.server.close, daemon=True)
        closing.start()
        closing.join(PATIENCE_S)
        assert not closing.is_alive()
        assert ended_within(client, PATIENCE_S)
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", site.server.port), 1.0)


def test_a_port_in_use_is_named(site: Site) -> None:
    with pytest.raises(OSError, match="cannot be listened on") as raised:
        WebServer("127.0.0.1", site.server.port, {})
    assert raised.value.filename == f"127.0.0.1:{site.server.port}"


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.7", "8.8.8.8"])
def test_an_address_that_others_reach_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"host: {host!r} is not allowed; it must be a loopback address")):
        WebServer(host, 0, {})


def test_an_address_that_others_reach_is_taken_where_clients_have_something_to_show() -> None:
    guard = Guard(token="0123456789abcdef")
    with WebServer("0.0.0.0", 0, {"/": lambda: Reply(200, "text/plain", b"")}, guard) as server:
        refused, _ = ask(server, "/", headers={"Host": "edge-7.example"})
        assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        shown = {"Host": "edge-7.example", "Authorization": "Bearer 0123456789abcdef"}
        assert ask(server, "/", headers=shown)[0].status == 200


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="port: 70000 is not allowed"):
        WebServer("127.0.0.1", 70_000, {})


def test_a_host_that_is_none_is_named() -> None:
    with pytest.raises(OSError, match="is no address of this machine") as raised:
        WebServer("no.such.host.invalid", 0, {})
    assert raised.value.filename == "no.such.host.invalid"


@pytest.mark.parametrize(
    ("host", "address"), [("localhost", r"http://.*:\d+/"), ("127.0.0.1", r"http://127\.0\.0\.1:\d+/")]
)
def test_it_says_where_it_listens(host: str, address: str) -> None:
    with WebServer(host, 0, {}) as server:
        assert re.fullmatch(address, server.address)


def test_many_ask_at_once_while_frames_are_served(site: Site) -> None:
    stop, failures = threading.Event(), []
    cell = Cell()

    def asking(path: str, check: Callable[[str], object]) -> None:
        while not stop.is_set():
            try:
                check(site.ask(path)[1])
            except Exception as error:
                failures.append(error)

    asked = [("/metrics", lambda text: list(text_string_to_metric_families(text))), ("/live.json", json.loads)]
    askers = [threading.Thread(target=asking, args=each) for each in asked * 2]
    for each in askers:
        each.start()
    for _ in range(2000):
        site.observers.served("roof", cell.served(), 1e-3)
    stop.set()
    for each in askers:
        each.join()
    assert failures == []
    assert 'quedge_next_frame{base_station="roof"} 2000.0' in site.ask("/metrics")[1]
