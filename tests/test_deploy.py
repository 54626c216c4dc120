"""What is deployed: commands start the service as they stand, and what watches it asks for metrics that there are."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quedge.files.scenario import read_scenario

pytest.importorskip("grpc")

DEPLOY = Path(__file__).parent.parent / "deploy"
UNIT, CONTAINER = (DEPLOY / name for name in ("quedge.service", "Containerfile"))


def lines_of(path: Path) -> list[str]:
    """Its lines, each with what its backslash goes on with, without comments."""
    joined = re.sub(r"\\\n\s*", "", path.read_text(encoding="utf-8"))
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def unit_command() -> list[str]:
    (line,) = (line for line in lines_of(UNIT) if line.startswith("ExecStart="))
    return line.removeprefix("ExecStart=").split()


def container_command() -> list[str]:
    words = dict(line.split(maxsplit=1) for line in lines_of(CONTAINER) if line.startswith(("ENTRYPOINT", "CMD")))
    return [*json.loads(words["ENTRYPOINT"]), *json.loads(words["CMD"])]


@pytest.mark.parametrize("command", [unit_command(), container_command()], ids=["unit", "container"])
def test_the_command_serves_until_sigterm(command: list[str], tmp_path: Path) -> None:
    program, *arguments = command
    assert Path(program).name == "quedge"
    for place, here in {
        "${CONFIGURATION_DIRECTORY}/": f"{tmp_path}/",
        "/etc/quedge/": f"{tmp_path}/",
        "${STATE_DIRECTORY}/": f"{tmp_path}/",
        "/var/lib/quedge/": f"{tmp_path}/",
        "127.0.0.1:50051": "127.0.0.1:0",
    }.items():
        arguments = [argument.replace(place, here) for argument in arguments]
    subprocess.run([sys.executable, "-m", "quedge", "init", "scenario.toml"], cwd=tmp_path, check=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "quedge", *arguments],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Serving exact on 127.0.0.1:"), process.communicate()[1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0  # the unit's TimeoutStopSec
        assert (tmp_path / "state").is_dir()
    finally:
        process.kill()
        process.communicate()


def test_whatever_ends_the_service_systemd_starts_it_again() -> None:
    lines = lines_of(UNIT)
    assert "Restart=always" in lines  # on-failure takes SIGPIPE and SIGHUP for clean ends
    assert "StartLimitIntervalSec=0" in lines


def test_the_service_has_descriptors_for_many_connections() -> None:
    (line,) = (line for line in lines_of(UNIT) if line.startswith("LimitNOFILE="))
    assert int(line.partition("=")[2]) >= 1024


def test_what_the_container_copies_is_there() -> None:
    for line in lines_of(CONTAINER):
        if line.startswith("COPY ") and "--from" not in line:
            *sources, _ = line.split()[1:]
            assert all((DEPLOY.parent / source).exists() for source in sources), line


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "quedge.service"
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/quedge/bin/quedge", sys.executable))
    checked = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


KUBERNETES = DEPLOY / "kubernetes" / "quedge.yaml"
RULES, DASHBOARD = DEPLOY / "prometheus" / "quedge.rules.yml", DEPLOY / "grafana" / "quedge.json"
_METRIC = re.compile(r"quedge_[a-z_]+")


def known_metrics() -> set[str]:
    """All names under which Prometheus keeps what the service tells."""
    pytest.importorskip("prometheus_client")
    table = (DEPLOY.parent / "docs" / "service-observing.md").read_text(encoding="utf-8")
    documented = {
        name for line in table.splitlines() if line.startswith("| `quedge_") for name in _METRIC.findall(line)
    }
    documented |= {"quedge_device_power_watts_count"}  # the table has its suffix only
    return documented | {f"{name}_bucket" for name in documented if name.endswith("_seconds")}


def expressions() -> list[str]:
    yaml = pytest.importorskip("yaml")
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    dashboard = json.loads(DASHBOARD.read_text())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = [var["query"]["query"] for var in dashboard["templating"]["list"] if var["type"] == "query"]
    return [rule["expr"] for rule in rules] + shown + asked


def test_rules_and_dashboard_ask_for_metrics_that_there_are() -> None:
    asked = {name for expression in expressions() for name in _METRIC.findall(expression)}
    assert len(asked) >= 12
    assert asked <= known_metrics()


def test_an_alert_says_what_happened_and_what_to_do() -> None:
    yaml = pytest.importorskip("yaml")
    for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]:
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert rule["annotations"]["summary"].endswith("."), rule["alert"]
        assert rule["annotations"]["description"].endswith("."), rule["alert"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    checked = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_manifest_serves_what_the_command_line_has_and_probes_what_is_served(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    config, service, stateful = yaml.safe_load_all(KUBERNETES.read_text())
    pod = stateful["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    arguments = [argument.partition("=")[0] for argument in container["args"][1:]]
    shown = subprocess.run(
        [sys.executable, "-m", "quedge", "serve", "--help"],
        env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert all(argument in shown for argument in arguments)
    (tmp_path / "scenario.toml").write_text(config["data"]["scenario.toml"])
    assert read_scenario(tmp_path / "scenario.toml", ()).scenario.devices == 10
    (port,) = container["ports"]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert f"--listen=0.0.0.0:{port['containerPort']}" in container["args"]
    (seen_at,) = (argument.partition("=")[2] for argument in container["args"] if argument.startswith("--metrics"))
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert f"http://{seen_at}/" in container[probe]["exec"]["command"][-1]
    mounted = {volume["name"] for volume in container["volumeMounts"]}
    claimed = {claim["metadata"]["name"] for claim in stateful["spec"]["volumeClaimTemplates"]}
    assert mounted == claimed | {volume["name"] for volume in pod["volumes"]}
