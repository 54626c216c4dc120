"""Pages as notebooks: nothing of a page is lost, and its outputs stand where they belong."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.test_readme import BLOCK, DOCS

PAGES = ("tutorial-cell.md", "beat-the-paper.md", "measured-channels.md")


def notebook_of(page: Path) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("notebook", DOCS / "site" / "notebook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Any] = module.notebook_of(page)
    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_notebook_has_the_code_of_its_page_with_what_it_prints_and_draws(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    cells = notebook_of(DOCS / name)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    blocks = BLOCK.findall(text)
    assert [cell["source"] + "\n" for cell in code] == [block for kind, block in blocks if kind == "python"]
    outputs = [output for cell in code for output in cell["outputs"]]
    printed = [output["text"] for output in outputs if output["output_type"] == "stream"]
    assert printed == [block for kind, block in blocks if kind == "text"]
    assert sum(output["output_type"] == "display_data" for output in outputs) == text.count(".png)")
    assert len({cell["id"] for cell in cells}) == len(cells)


@pytest.mark.parametrize("name", PAGES)
def test_a_notebook_keeps_the_words_of_its_page(name: str) -> None:
    told = " ".join(cell["source"] for cell in notebook_of(DOCS / name)["cells"] if cell["cell_type"] == "markdown")
    prose = BLOCK.sub("", (DOCS / name).read_text(encoding="utf-8"))
    without_pictures = [line for line in prose.splitlines() if not line.startswith("![")]
    assert told.split() == " ".join(without_pictures).split()
