from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("grpc")

from quedge.controller.engine import Pace
from quedge.controller.journal import Durability
from quedge.controller.state_folder import StateFolder
from quedge.policy.exact import Exact
from quedge.policy.policy import Policy
from quedge.service.basis import Basis
from quedge.service.limits import DEFAULT_RATES
from quedge.service.monitoring.web import NO_GUARD
from quedge.service.server import Service, run
from quedge.service.settings import Address, Rendering
from tests.service.service_under_test import SCENARIO

BASIS = Basis(SCENARIO, Exact())


class Unmakeable(Exact):
    """A policy whose controller cannot be made."""

    def new_agent(self, devices: int, rng: object) -> Policy:
        raise ValueError("as the test has it")


def service(state: Path, listen: int = 0, metrics: int = 0) -> Service:
    return Service(
        basis=BASIS,
        reread=lambda: BASIS,
        policy="exact",
        shadow=None,
        max_base_stations=16,
        base_stations=None,
        listen=Address("127.0.0.1", listen),
        deadline_s=0.02,
        pace=Pace(),
        state=state,
        migrates=False,
        begins_anew=False,
        durability=Durability.PROCESS,
        tls=None,
        metrics=Address("127.0.0.1", metrics),
        guard=NO_GUARD,
        rendering=Rendering.JSON,
        rates=DEFAULT_RATES,
        traced=False,
    )


def is_free(state: Path) -> bool:
    """Whether another service may use the folder; one that uses it raises a StateError."""
    StateFolder(state, "a test", Durability.PROCESS).close()
    return True


@pytest.mark.parametrize("taken", ["listen", "metrics"])
def test_a_service_that_cannot_listen_leaves_its_state_to_the_next_one(tmp_path: Path, taken: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        told = service(tmp_path, **{taken: other.getsockname()[1]})
        with pytest.raises(OSError, match="cannot be listened on"):
            run(told, lambda running: pytest.fail("it takes reports"))
    assert is_free(tmp_path)


def test_so_does_one_whose_controller_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="policy: "):
        run(
            service(tmp_path)._replace(basis=Basis(SCENARIO, Unmakeable())),
            lambda running: pytest.fail("it takes reports"),
        )
    assert is_free(tmp_path)


def said(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode().strip()


def test_it_is_seen_while_it_compiles_alive_and_neither_started_nor_ready(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    seen = []

    def prepare(tell: Callable[[], None]) -> None:
        seen.append([said(port, path) for path in ("/healthz", "/startupz", "/readyz")])
        tell()
        seen.append([said(port, path) for path in ("/healthz", "/startupz", "/readyz")])
        assert is_free(tmp_path)
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        run(service(tmp_path, metrics=port), lambda running: pytest.fail("it takes reports"), prepare)
    assert seen == [[(200, "well"), (503, state), (503, state)] for state in ("starting", "compiling")]
