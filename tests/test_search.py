"""The documentation's search finds the symbols of the paper."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quedge.model.scenario import PARAMETERS

pytest.importorskip("sphinx")
pytest.importorskip("myst_parser")

DOCS = Path(__file__).parent.parent / "docs"
CONF = """
import sys
sys.path.insert(0, {site!r})
extensions = ["myst_parser", "mathml", "symbols"]
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "mathml"
html_theme = "basic"
html_search_scorer = {site!r} + "/scorer.js"
suppress_warnings = ["myst.xref_missing", "toc.not_included", "misc.highlighting_failure"]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The notation and a page with formulas, built as all pages are."""
    folder = tmp_path_factory.mktemp("docs")
    for name in ("notation.md", "auto.md", "channels.md"):
        shutil.copy(DOCS / name, folder)
    (folder / "index.md").write_text("# Index\n")
    (folder / "conf.py").write_text(CONF.format(site=str(DOCS / "site")))
    building = [sys.executable, "-m", "sphinx", "-q", str(folder), str(folder / "html")]
    subprocess.run(building, check=True, capture_output=True, text=True, timeout=300)
    return folder / "html"


@pytest.fixture(scope="module")
def index(site: Path) -> dict[str, Any]:
    """What the search page loads."""
    text = (site / "searchindex.js").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    return found


def found(index: dict[str, Any], asked: str) -> dict[str, str]:
    """Pages and their anchors that an entry of the index leads to, as the search page looks for one."""
    entries = index["indexentries"].get(asked.lower(), [])
    return {index["docnames"][page]: anchor for page, anchor, is_main in entries if is_main}


ROWS = {
    "V": "symbol-v", "ν": "symbol-nu", "nu": "symbol-nu", "Q_i": "symbol-q", "Y_i": "symbol-y", "κ": "symbol-kappa",
    "kappa": "symbol-kappa", "P_q": "symbol-p-q", "φ_s": "symbol-phi-s", "phi_s": "symbol-phi-s", "N0": "symbol-n0",
    "energy_queue": "symbol-y", "power_budget_w": "symbol-gamma",
}  # fmt: skip
"""The row of the notation that a search shall find."""


@pytest.mark.parametrize(("asked", "anchor"), ROWS.items(), ids=ROWS)
def test_a_symbol_leads_to_its_row(index: dict[str, Any], site: Path, asked: str, anchor: str) -> None:
    assert found(index, asked)["notation"] == anchor
    assert f'id="{anchor}"' in (site / "notation.html").read_text(encoding="utf-8")


def test_every_key_of_the_notation_leads_to_its_row(index: dict[str, Any]) -> None:
    rows = re.findall(
        r"^\| [^|]+ \| ([^|]+) \|", (DOCS / "notation.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    keys = [key for row in rows for key in re.findall(r"`(\w+)`", row) if key in PARAMETERS]
    assert len(keys) > 30
    for key in keys:
        assert "notation" in found(index, key), key


@pytest.mark.parametrize("asked", ["psi", "ψ", "λ_i", "ρ", "rho"])
def test_a_symbol_leads_to_the_pages_that_write_it(index: dict[str, Any], site: Path, asked: str) -> None:
    pages = found(index, asked)
    assert pages.keys() & {"auto", "channels"}
    for page, anchor in pages.items():
        assert f'id="{anchor}"' in (site / f"{page}.html").read_text(encoding="utf-8")


def test_only_what_devices_have_of_their_own_has_an_index(index: dict[str, Any]) -> None:
    assert found(index, "lambda_i")["notation"] == "symbol-lambda"
    assert "notation" not in found(index, "W_i")  # one bandwidth for all


@pytest.mark.browser
@pytest.mark.parametrize("asked", ["V", "Q_i"])
def test_the_search_page_shows_a_symbol_s_row_first(site: Path, tmp_path: Path, asked: str) -> None:
    browser = shutil.which("chromium")
    if browser is None and "CI" not in os.environ:
        pytest.skip("Chromium is not installed")
    assert browser is not None, "Chromium is not installed"
    shown = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         "--virtual-time-budget=5000", "--dump-dom", f"{(site / 'search.html').as_uri()}?q={asked}"],
        capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    results = re.findall(r'<li class="kind-\w+"><a href="([^"]+)"', shown.stdout)
    assert results[0] == f"notation.html#{ROWS[asked]}"
