"""The page of all figures and tables, as text and in a browser."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from quedge.experiments.catalogue import EXPERIMENTS
from quedge.experiments.experiment import Size
from quedge.experiments.records import BOLD_RULE
from quedge.experiments.report import write_report
from quedge.experiments.reproduce import reproduce
from tests.workers import InProcess

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three experiments at toy size: a figure, a table, and both."""
    made = tmp_path_factory.mktemp("results")
    chosen = [EXPERIMENTS[name] for name in ("fig7", "table3", "beyond-munich")]
    reproduce(chosen, Size(frames=4, seeds=2), made, InProcess())
    return made


class Elements(HTMLParser):
    """What a page consists of; it must be well formed as far as that goes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.addresses += [given[name] or "" for name in ("src", "href") if name in given]
        self.ids += [given["id"] or ""] if "id" in given else []
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def elements(page: str) -> Elements:
    parsed = Elements()
    parsed.feed(page)
    assert parsed.open == []
    return parsed


def test_the_page_holds_everything_that_it_shows(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    found = elements(page)
    outside = [each for each in found.addresses if not each.startswith(("data:", "#"))]
    assert outside == []
    assert {each[1:] for each in found.addresses if each.startswith("#")} == set(found.ids)
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert [base64.b64decode(image) for image in images] == [
        (folder / name).read_bytes() for name in ("fig7.png", "beyond-munich.png")
    ]


def test_the_page_says_what_was_run(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    for text in (
        "Figure 7", "Table III", "A walk through Munich", "the paper: lydroo-noma", "4 frames", "2 seeds (0 to 1)",
        "P<sub>q</sub> = 0.02 W", "NoisyOrderPreserving", "numpy", "The weighted rate ranks nothing",
    ):  # fmt: skip
        assert text in page, text
    assert page.index("Figure 7") < page.index("Beyond the paper")


def test_the_page_begins_with_what_each_experiment_found(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    top = page[page.index("<nav") : page.index("</nav>")]
    for name in ("fig7", "table3", "beyond-munich"):
        result = json.loads((folder / f"{name}.experiment.json").read_text())["result"]
        assert result.replace("P_q", "P<sub>q</sub>") in top


def test_what_experiments_share_is_said_once_and_the_rest_where_it_differs(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    settings = page.index('id="settings"')
    assert page.count("NoisyOrderPreserving") == 4  # one for each of those that learn
    assert page.index("NoisyOrderPreserving") > settings
    assert page.count("4 frames a run") == 1
    walk = page[page.index('id="beyond-munich"') : settings].replace("Shortened: 4 frames", "")
    assert "MunichWalk" in walk
    assert "4 frames" not in walk
    assert "bandwidth" in page[settings:]


def test_an_experiment_of_before_there_were_results_is_shown(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "table3.experiment.json").read_text())
    del manifest["result"], manifest["defaults"]
    (tmp_path / "old.experiment.json").write_text(json.dumps(manifest))
    assert "Table III" in write_report(tmp_path).read_text()


def test_code_is_set_as_such_and_experiments_are_linked(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "table3.experiment.json").read_text())
    manifest |= {"remarks": ["see `table3`, `fig7` and P_q"]}
    (tmp_path / "mine.experiment.json").write_text(json.dumps(manifest))
    page = write_report(tmp_path).read_text()
    assert 'see <a href="#table3"><code>table3</code></a>, <code>fig7</code> and P<sub>q</sub>' in page


def test_a_shortened_run_says_so_on_the_page_and_in_each_file(folder: Path) -> None:
    told = "Shortened: 4 frames instead of the paper's 10,000 and 2 seeds instead of 5; queues may not have settled."
    page = (folder / "report.html").read_text()
    assert "A quick look, not the whole experiments" in page[: page.index("<nav")]
    assert page.count(told.replace("'", "&#39;")) == 1 + 2  # the banner, Figure 7 and Table III
    assert told in (folder / "table3.md").read_text()
    assert json.loads((folder / "fig7.experiment.json").read_text())["shortened"] == told


def test_a_page_of_full_runs_has_no_banner(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "table3.experiment.json").read_text())
    for full in (manifest | {"shortened": ""}, {key: value for key, value in manifest.items() if key != "shortened"}):
        (tmp_path / "mine.experiment.json").write_text(json.dumps(full))
        assert "quick look" not in write_report(tmp_path).read_text()


def test_what_is_best_is_bold_and_the_rule_is_told(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "table3.experiment.json").read_text())
    table = {"heading": ["ν", "policy", "queue"], "lines": [["1", "a", "5.0"], ["1", "b", "6.0"]], "keys": 1}
    (tmp_path / "mine.experiment.json").write_text(json.dumps(manifest | {"table": table | {"bold": [[0, 2]]}}))
    page = write_report(tmp_path).read_text()
    elements(page)
    assert "<strong>5.0</strong>" in page
    assert "<strong>6.0</strong>" not in page
    assert BOLD_RULE.replace("'", "&#39;") in page
    (tmp_path / "mine.experiment.json").write_text(json.dumps(manifest | {"table": table}))  # as an older one wrote it
    assert "<strong>5.0</strong>" not in write_report(tmp_path).read_text()


def test_what_experiments_say_is_never_markup(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "table3.experiment.json").read_text())
    manifest |= {"title": "<script>alert(1)</script>", "remarks": ["a < b & c"]}
    (tmp_path / "mine.experiment.json").write_text(json.dumps(manifest))
    page = write_report(tmp_path).read_text()
    assert "<script" not in page
    assert "a &lt; b &amp; c" in page


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "mine.experiment.json: cannot be read"),
        ("[]", "mine.experiment.json: is no experiment's: caption is missing"),
        (None, "gone.png: cannot be read"),
    ],
)
def test_a_file_that_is_none_is_named(folder: Path, tmp_path: Path, content: str | None, complaint: str) -> None:
    if content is None:
        manifest = json.loads((folder / "fig7.experiment.json").read_text())
        content = json.dumps(manifest | {"figure": "gone.png"})
    (tmp_path / "mine.experiment.json").write_text(content)
    with pytest.raises(ValueError, match=re.escape(complaint)):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_folder_without_experiments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no experiment"):
        write_report(tmp_path)


@pytest.mark.browser
@pytest.mark.parametrize("width", [900, 500])  # the narrowest that headless Chromium has
def test_a_browser_shows_every_image_and_has_nothing_to_complain_of(folder: Path, tmp_path: Path, width: int) -> None:
    browser = shutil.which("chromium")
    if browser is None and "CI" not in os.environ:
        pytest.skip("Chromium is not installed")
    assert browser is not None, "Chromium is not installed"
    looking = (
        "<script>window.addEventListener('load', () => { const seen = [...document.images].map("
        "image => [image.complete, image.naturalWidth, image.getBoundingClientRect().width]);"
        "document.body.setAttribute('data-seen', JSON.stringify("
        "[seen, document.body.scrollWidth <= document.documentElement.clientWidth])); });</script>"
    )
    page = tmp_path / "page.html"
    page.write_text((folder / "report.html").read_text().replace("</body>", f"{looking}</body>"))
    shown = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
         f"--window-size={width},800", f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000",
         "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    assert [line for line in shown.stderr.splitlines() if "CONSOLE" in line] == []
    seen = re.search(r'data-seen="([^"]+)"', shown.stdout)
    assert seen is not None
    images, fits = json.loads(seen.group(1).replace("&quot;", '"'))
    assert len(images) == 2
    assert all(complete and natural > 500 and wide > 300 for complete, natural, wide in images)
    assert fits  # nothing has to be scrolled sideways but wide tables in their own frame
