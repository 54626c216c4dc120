"""The live page in a browser."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("grpc")
pytest.importorskip("prometheus_client")

from quedge.service import quedge_pb2 as pb
from quedge.service.monitoring.endpoints import Reply, endpoints_of
from quedge.service.monitoring.statistics import Statistics
from quedge.service.monitoring.web import WebServer
from tests.service.monitoring.cells import BUDGET_W, DEVICES, STARTED, Cell, Clock

PAGE = endpoints_of(Statistics(BUDGET_W), lambda: None)["/"]().body.decode()


class Shown:
    """What a browser shows of a service that serves frames each time that the page asks for its data.

    Args:
        folder: where the browser may write.
        names: the base stations.
        before_answer: called before each of the page's questions is answered, with the server.
    """

    def __init__(
        self, folder: Path, names: tuple[str, ...], before_answer: Callable[[Shown], None] = lambda shown: None
    ) -> None:
        self.asked = 0
        clock, cells = Clock(), {name: Cell() for name in names}
        statistics = Statistics(BUDGET_W, clock)
        statistics.started(STARTED)
        endpoints = dict(endpoints_of(statistics, lambda: None))
        tell = endpoints["/live.json"]

        def live() -> Reply:
            self.asked += 1
            before_answer(self)
            for name, cell in cells.items():
                statistics.served(name, cell.served(arrived_mbit=30.0), 1e-3)
            statistics.refused(names[0] if names else "nobody", pb.OLD_FRAME)
            clock.now += 1.0
            return tell()

        endpoints["/live.json"] = live
        with WebServer("127.0.0.1", 0, endpoints) as self.server:
            self.dom, self.complaints = browsed(self.server.address, folder)

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
    assert f"frame {served - 1}: 1 of {DEVICES} offload" in shown.text("span", "last-frame")
    assert shown.text("nav", "stations").split() == ["north-roof", "harbour-2"]
    assert shown.text("ul", "devices").count("offloads") == 1
    assert shown.text("ul", "devices").count("computes") == DEVICES - 1
    assert "taking reports" in shown.dom
    assert "best-single on 127.0.0.1:7443" in shown.text("span", "service")
    assert re.search(
        r'aria-label="Mean power against its budget, the last five minutes; now power [\d.]+ W, budget 0.08 W"',
        shown.dom,
    )
    paths = re.findall(r'<path d="(M[^"]+L[^"]+)" class="series', shown.dom)
    assert len(paths) == 8  # every series has a line


@pytest.mark.browser
def test_a_name_is_never_markup(tmp_path: Path) -> None:
    name = "<img src=x onerror=document.title='broken'>"
    shown = Shown(tmp_path, (name,))
    assert shown.complaints == []
    assert "<img" not in shown.dom
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
    assert re.search(r'<div id="gone" role="alert">', shown.dom)
