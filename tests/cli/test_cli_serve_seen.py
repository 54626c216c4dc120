"""`quedge serve` says how it is: to probes, to Prometheus and to gRPC's clients alike."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("grpc")

import grpc

from quedge.service import methods
from quedge.service import quedge_pb2 as pb
from tests.cli.served import Served, serving, until
from tests.service.test_standard_services import Status, check, watch
from tests.service.wire import asked, connected, frame_report


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "serve.toml").write_text('state = "state"\nmetrics = "127.0.0.1:0"\notel = true\n')
    with serving(tmp_path, "--config", "serve.toml") as served:
        yield served


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=60) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def test_it_serves_until_reports_are_refused_and_tells_how_its_state_stands(service: Served, tmp_path: Path) -> None:
    with connected(f"127.0.0.1:{service.port}") as channel:
        assert asked(channel, methods.DECIDE, frame_report(0)).outcome == pb.SERVED
        watching = watch(channel)
        assert next(watching).status == check(channel) == Status.SERVING
        assert [status(service.web + path) for path in ("startupz", "readyz")] == [200, 200]
        assert service.metric('quedge_checkpoint_time_seconds{base_station="roof"}') == 0  # there is none
        asked(channel, methods.CHECKPOINT, pb.CheckpointRequest(base_station="roof"))
        kept = service.metric('quedge_checkpoint_time_seconds{base_station="roof"}')
        assert kept == pytest.approx(time.time(), abs=600)
        size = sum(file.stat().st_size for file in (tmp_path / "state").glob("*.journal*") if "-last" not in file.name)
        size -= sum(file.stat().st_size for file in (tmp_path / "state").glob("*-shm"))
        assert service.metric('quedge_journal_bytes{base_station="roof"}') == size
        assert service.metric('quedge_waiting_reports{base_station="roof"}') == 0
        (journal,) = (tmp_path / "state").glob("*.journal")
        journal.unlink()
        assert next(watching).status == Status.NOT_SERVING  # without being asked
        assert check(channel, methods.SERVICE) == Status.NOT_SERVING
        assert [status(service.web + path) for path in ("startupz", "readyz", "healthz")] == [200, 503, 503]
        assert asked(channel, methods.DECIDE, frame_report(1)).outcome == pb.NOT_DURABLE
        service.ended()
        with pytest.raises(grpc.RpcError):
            next(watching)
        assert watching.code() is grpc.StatusCode.UNAVAILABLE
        until(lambda: service.events("stopped"))
