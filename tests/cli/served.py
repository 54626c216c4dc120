"""`quedge serve` as a process over TLS, with what it logs, what it counts, and clients that mean well or not."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc

from quedge.service.tls.certificates import Written

QUEDGE = [sys.executable, "-W", "error", "-m", "quedge"]
PATIENCE_S = 30.0


class Served:
    """A service that runs.

    Attributes:
        port: where it takes reports.
        web: where it is seen from, with a slash at the end; empty for nowhere.
    """

    def __init__(self, process: subprocess.Popen[str], log: Path, port: int, web: str) -> None:
        self.process, self.port, self.web, self._log = process, port, web, log

    def log(self) -> list[dict[str, Any]]:
        """The lines that are whole, each of which is JSON."""
        return [json.loads(line) for line in self._log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def events(self, event: str) -> list[dict[str, Any]]:
        """The lines of an event."""
        return [line for line in self.log() if line["event"] == event]

    def logged(self, event: str, **fields: Any) -> dict[str, Any]:
        """A line of an event with these fields, once there is one."""
        return until(lambda: [line for line in self.events(event) if line.items() >= fields.items()])[0]

    def metric(self, name: str) -> float:
        """A metric's value, by its name and labels as the text format has them; 0 where there is none."""
        with urllib.request.urlopen(self.web + "metrics", timeout=PATIENCE_S) as reply:
            told = reply.read().decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", told, re.MULTILINE)
        return 0.0 if found is None else float(found[1])

    def ended(self) -> int:
        """Its exit status after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)


def until(found: Callable[[], Any]) -> Any:
    """What is found, as soon as it is something."""
    end = time.monotonic() + PATIENCE_S
    while not (something := found()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return something


@contextlib.contextmanager
def serving(
    folder: Path, *arguments: str, policy: str = "best-single", descriptors: int | None = None
) -> Iterator[Served]:
    """A service of three devices on ports of the system's choice, with so many descriptors."""
    log = folder / "log"
    told = ["--listen", "127.0.0.1:0", "--set", "devices=3", "--policy", policy, *arguments]
    limited = [] if descriptors is None else ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh"]
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*limited, *QUEDGE, "serve", *told], cwd=folder, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"Serving \S+ on \S+:(\d+);", line)
        assert found is not None, line + log.read_text()
        seen_at = re.search(r"seen at (\S+)\.$", line.rstrip())
        yield Served(process, log, int(found[1]), "" if seen_at is None else seen_at[1])
    finally:
        process.kill()
        process.communicate()


def tls_options(pki: Written) -> list[str]:
    """The options of a service with these certificates."""
    files = {"--tls-cert": pki.server.certificate, "--tls-key": pki.server.key, "--client-ca": pki.ca.certificate}
    return [word for option, path in files.items() for word in (option, str(path))]


def credentials(pki: Written, client: str | None, ca: Written | None = None) -> Any:
    """What gRPC shows as a client; without a name no certificate."""
    key, certificate = (None, None) if client is None else (
        pki.clients[client].key.read_bytes(), pki.clients[client].certificate.read_bytes(),
    )  # fmt: skip
    return grpc.ssl_channel_credentials((pki if ca is None else ca).ca.certificate.read_bytes(), key, certificate)


def tls_context(pki: Written, version: ssl.TLSVersion, client: str | None = None) -> ssl.SSLContext:
    """What the standard library shows as a client, by one version of TLS only."""
    context = ssl.create_default_context(cafile=str(pki.ca.certificate))
    context.set_alpn_protocols(["h2"])
    context.minimum_version = context.maximum_version = version
    if client is not None:
        context.load_cert_chain(*map(str, pki.clients[client]))
    return context
