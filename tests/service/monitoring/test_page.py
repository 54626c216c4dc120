"""The live page in a browser."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("grpc")
pytest.importorskip("prometheus_client")

from quedge.controller.controller import Controller
from quedge.controller.shadow import Shadow
from quedge.model.cell import cell_of
from quedge.model.scenario import Scenario
from quedge.policy.baselines import AllLocal
from quedge.service import quedge_pb2 as pb
from quedge.service.monitoring.endpoints import Reply, endpoints_of
from quedge.service.monitoring.statistics import Statistics
from quedge.service.monitoring.web import WebServer
from tests.service.monitoring.cells import BUDGET_W, DEVICES, STARTED, Cell, Clock, shadowed

PAGE = endpoints_of(Statistics(BUDGET_W), lambda: None)["/"]().body.decode()


class Shown:
    """What a browser shows of a service that serves frames each time that the page asks for its data.

    Args:
        folder: where the browser may write.
        names: the base stations.
        before_answer: called before each of the page's questions is answered, with the server; what it raises is said.
        devices: of each cell, the last of which is silent.
        past: seconds in which a frame was served before.
        script: what is run in the page beside its own.
    """

    def __init__(
        self,
        folder: Path,
        names: tuple[str, ...],
        before_answer: Callable[[Shown], None] = lambda shown: None,
        devices: int = DEVICES,
        past: int = 0,
        script: str = "",
    ) -> None:
        scenario, clock, self.asked = Scenario(devices=devices), Clock(), 0
        self.cells = {name: Cell(scenario=scenario) for name in names}
        shadows = {name: Shadow(partial(Controller, scenario, AllLocal())) for name in names}
        statistics = Statistics(cell_of(scenario).power_budget_w, clock)
        statistics.started(STARTED._replace(shadow="all-local"))
        endpoints = dict(endpoints_of(statistics, lambda: None))
        tell = endpoints["/live.json"]

        def serve() -> None:
            for name, cell in self.cells.items():
                statistics.served(name, (served := cell.served(devices=range(devices - 1), arrived_mbit=30.0)), 1e-3)
                statistics.shadowed(name, shadowed(served, shadows[name]))
            statistics.refused(names[0] if names else "nobody", pb.OLD_FRAME)
            clock.now += 1.0

        def live() -> Reply:
            self.asked += 1
            before_answer(self)
            serve()
            return tell()

        for _ in range(past):
            serve()
        endpoints["/live.json"] = live
        if script:
            page = endpoints["/"]()
            body = page.body.replace(b"</body>", f"<script>{script}</script></body>".encode())
            endpoints["/"] = lambda: page._replace(body=body, content_policy="")
        with WebServer("127.0.0.1", 0, endpoints) as self.server:
            self.dom, self.complaints = browsed(self.server.address, folder)

    def ticks(self) -> list[list[str]]:
        """What the ticks of each chart's vertical axis are called."""
        charts = re.findall(r'<svg aria-hidden="true" preserveAspectRatio.*?</svg>', self.dom, re.DOTALL)
        assert len(charts) == 4
        return [re.findall(r'text-anchor="end">([^<n]+)</text>', chart) for chart in charts]

    def text(self, tag: str, identity: str) -> str:
        found = re.search(rf'<{tag} id="{identity}"[^>]*>(.*?)</{tag}>', self.dom, re.DOTALL)
        assert found is not None
        return html.unescape(re.sub("<[^>]+>", " ", found.group(1)))


def browsed(address: str, folder: Path) -> tuple[str, list[str]]:
    browser = shutil.which("chromium")
    if browser is None and "CI" not in os.environ:
        pytest.skip("Chromium is not installed")
    assert browser is not None, "Chromium is not installed"
    shown = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=800,1200",
         f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=4500", "--dump-dom", address],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return shown.stdout, [line for line in shown.stderr.splitlines() if "CONSOLE" in line]


def test_the_page_asks_nobody_but_its_own_server() -> None:
    namespaces = {"http://www.w3.org/2000/svg"}
    assert set(re.findall(r"(?:https?:)?//[a-z][^\s\"'`]+", PAGE)) <= namespaces
    assert not re.search(r"<(script|link|img|iframe)[^>]*\ssrc=|@import|url\(", PAGE)
    assert re.findall(r"fetch\(([^,]+),", PAGE) == ['"/live.json"']


def test_what_comes_from_outside_is_only_ever_text() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(", PAGE)
    assert not re.search(r"\son[a-z]+=", PAGE)
    assert 'style="' not in PAGE


@pytest.mark.browser
def test_a_browser_shows_numbers_that_change(tmp_path: Path) -> None:
    shown = Shown(tmp_path, ("north-roof", "harbour-2"))
    assert shown.complaints == []
    assert shown.asked >= 3
    tiles = shown.text("dl", "tiles").split()
    served = int(tiles[tiles.index("served") + 1])
    assert shown.asked - 1 <= served <= shown.asked
    assert f"frame {served - 1}: 1 of {DEVICES} offload; 1 did not report" in shown.text("span", "last-frame")
    assert shown.text("nav", "stations").split() == ["north-roof", "harbour-2"]
    states = re.findall(r"offloads|computes|silent", shown.text("ul", "devices"))
    assert sorted(states) == ["computes"] * (DEVICES - 2) + ["offloads", "silent"]
    assert "taking reports" in shown.dom
    assert "best-single on 127.0.0.1:7443" in shown.text("span", "service")
    assert re.search(
        r'role="slider" aria-label="Mean power against its budget, the last five minutes" [^>]*'
        r'aria-valuetext="now: power [\d.]+ W, budget 0.08 W, shadow [\d.]+ W"',
        shown.dom,
    )
    paths = re.findall(r'<path d="(M[^"]+L[^"]+)" class="series', shown.dom)
    assert len(paths) == 10  # every series has a line
    assert shown.text("h2", "shadow-title") == "Shadow: all-local"
    assert f"worse in 100 % of {served} frames" in shown.text("p", "shadow-outcomes")


KEYS_AND_FILTERS = """
addEventListener("load", () => setTimeout(() => {
  const chart = document.querySelector(".chart"), found = {};
  const ask = key => {
    chart.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    return chart.getAttribute("aria-valuetext");
  };
  const rows = () => [...document.querySelectorAll("#table tbody:not([hidden])")]
    .map(body => [...body.rows].map(row => row.cells[0].textContent));
  chart.focus();
  found.keys = ["ArrowLeft", "ArrowLeft", "ArrowRight", "Home", "End", "Escape"].map(ask);
  found.groups = rows();
  const before = document.querySelector("#table tbody tr:nth-child(2)");
  document.querySelectorAll("#table thead button")[2].click();
  found.sorted = rows().map(group => group.slice(0, 3));
  document.querySelector("#by-name").value = "3, 90-200";
  document.querySelector("#by-name").dispatchEvent(new Event("input", { bubbles: true }));
  found.named = rows();
  found.shown = document.querySelector("#shown").textContent;
  document.querySelector("#by-state").value = "silent";
  document.querySelector("#by-state").dispatchEvent(new Event("input", { bubbles: true }));
  found.silent = rows();
  document.querySelector("#by-name").value = document.querySelector("#by-state").value = "";
  document.querySelector("#filters").dispatchEvent(new Event("input"));
  found.kept = before.isConnected;
  const output = document.createElement("pre");
  output.id = "found"; output.textContent = JSON.stringify(found);
  document.body.append(output);
}, 3500));
"""


@pytest.mark.browser
def test_many_devices_are_a_table_and_charts_are_read_by_keys(tmp_path: Path) -> None:
    shown = Shown(tmp_path, ("roof",), devices=100, past=9, script=KEYS_AND_FILTERS)
    assert shown.complaints == []
    found = json.loads(shown.text("pre", "found"))
    past = [int(told.partition(" s ago")[0]) if " s ago" in told else 0 for told in found["keys"]]
    assert past[3] > past[1] > past[0] == past[2] > past[4]  # back, back, on, Home, End
    assert all(": queue " in told for told in found["keys"])
    assert found["keys"][-1].startswith("now: ")
    groups = {group[0]: list(map(int, group[1:])) for group in found["groups"]}
    assert list(groups) == ["offloads · 1", "computes · 98", "silent · 1"]
    assert all(devices == sorted(devices) for devices in groups.values())
    assert groups["silent · 1"] == [99]
    queues = shown.cells["roof"].controller.queues.data_queue_mbit
    for group, devices in zip(found["sorted"], groups.values(), strict=True):
        longest = max(devices, key=lambda device: queues[device])
        assert queues[int(group[1])] == pytest.approx(queues[longest])
    named = [device for group in found["named"] for device in group[1:]]
    assert sorted(map(int, named)) == [3, *range(90, 100)]
    assert found["shown"] == "11 of 100 devices"
    assert found["silent"] == [["silent · 1", "99"]]
    assert found["kept"]  # rows are changed in place
    assert re.search(r'<ul id="devices" hidden="">', shown.dom)


SEEING = """
new MutationObserver(() => document.body.setAttribute("data-was", "gone"))
  .observe(document.querySelector("#gone"), { attributes: true });
"""


@pytest.mark.browser
def test_the_page_says_when_the_service_is_back(tmp_path: Path) -> None:
    def fail(shown: Shown) -> None:
        if shown.asked == 2:
            raise RuntimeError("as the test has it")

    shown = Shown(tmp_path, ("north-roof",), fail, script=SEEING)
    assert shown.asked >= 3
    assert 'data-was="gone"' in shown.dom
    assert re.search(r'<div id="gone" hidden="">', shown.dom)
    assert 'class="old"' not in shown.dom
    assert "taking reports" in shown.dom


@pytest.mark.browser
def test_a_name_is_never_markup(tmp_path: Path) -> None:
    name = "<img src=x onerror=document.title='broken'>"
    shown = Shown(tmp_path, (name,), devices=2)
    assert shown.complaints == []
    assert "<img" not in shown.dom
    for ticks in shown.ticks():  # of queues that are empty but for rounding, too
        assert len({*ticks}) == len(ticks) > 1
    assert name in shown.text("nav", "stations")
    assert "<title>quedge live</title>" in shown.dom


@pytest.mark.browser
def test_the_page_says_that_nothing_was_served(tmp_path: Path) -> None:
    shown = Shown(tmp_path, ())
    assert shown.complaints == []
    assert re.search(r'<p id="nothing" class="soft">', shown.dom)
    assert re.search(r'<main hidden="">', shown.dom)


@pytest.mark.browser
def test_the_page_says_when_the_service_is_gone(tmp_path: Path) -> None:
    def go(shown: Shown) -> None:
        if shown.asked == 2:
            shown.server._server.server_close()

    shown = Shown(tmp_path, ("north-roof",), go)
    assert "The service does not answer since" in shown.text("div", "gone")
    assert "what is shown is of then" in shown.text("div", "gone")
    assert '<body class="old">' in shown.dom
    assert '<div id="gone">' in shown.dom
