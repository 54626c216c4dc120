"""Renewed certificates, and such as cannot be used, under a running service: it says so in its log and its metrics."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from quedge.service.client.client import Client
from quedge.service.tls.certificates import Written, lifetime
from tests.cli.test_cli_serve import SEEN_AT, serving
from tests.service.tls.pki import written

FAILURES = "quedge_tls_renewals_refused_total"
EXPIRY = "quedge_tls_certificate_expiry_time_seconds"


def metric(port: int, name: str) -> float:
    with urllib.request.urlopen(f"{SEEN_AT[port]}metrics", timeout=20) as reply:
        (line,) = (line for line in reply.read().decode().splitlines() if line.startswith(f"{name} "))
    return float(line.split()[1])


def logged(process: subprocess.Popen[str], event: str) -> dict[str, Any]:
    """The next line of an event in a service's log."""
    assert process.stderr is not None
    while (line := json.loads(process.stderr.readline()))["event"] != event:
        pass
    found: dict[str, Any] = line
    return found


def ask(port: int, pki: Written) -> None:
    """A connection of its own, whose handshake has the service look at its files."""
    client = pki.clients["base-station"]
    files = {"ca": pki.ca.certificate, "certificate": client.certificate, "key": client.key}
    with Client(f"127.0.0.1:{port}", **files) as station, station.stream() as frames:
        frames.decide(station.next_frame(), [1e-11] * 3, [0.0] * 3)


def test_a_running_service_tells_of_certificates_that_it_cannot_use_and_of_those_that_it_uses(tmp_path: Path) -> None:
    first, second = written(tmp_path / "first", lifetime(3)), written(tmp_path / "second", lifetime(5))
    served = tmp_path / "served"
    shutil.copytree(first.ca.certificate.parent, served)
    shutil.copy2(second.ca.certificate, served / "second-ca.pem")
    files = [
        "--tls-cert", str(served / "server.pem"), "--tls-key", str(served / "server-key.pem"),
        "--client-ca", str(served / "ca.pem"), "--metrics", "127.0.0.1:0",
    ]  # fmt: skip
    with serving(*files, folder=tmp_path) as (process, port):
        assert logged(process, "certificate_used")["expires"] == first.valid.ends.isoformat()
        ask(port, first)
        connected = logged(process, "connected")
        assert (connected["tls_version"], connected["group"]) == ("TLSv1.3", "X25519MLKEM768")
        assert (metric(port, FAILURES), metric(port, EXPIRY)) == (0.0, first.valid.ends.timestamp())

        (served / "server.pem").write_text("nonsense")
        for _ in range(2):
            ask(port, first)
        refused = logged(process, "renewal_refused")
        assert refused["level"] == "error"
        assert "--tls-cert" in refused["reason"]
        assert "has no certificate in PEM form" in refused["reason"]
        assert (metric(port, FAILURES), metric(port, EXPIRY)) == (1.0, first.valid.ends.timestamp())

        for name in ("ca.pem", "server-key.pem", "server.pem"):
            os.replace(shutil.copy2(second.ca.certificate.parent / name, tmp_path / "new"), served / name)
        ask(port, second)
        assert datetime.datetime.fromisoformat(logged(process, "certificate_used")["expires"]) == second.valid.ends
        assert metric(port, EXPIRY) == second.valid.ends.timestamp()
