"""Writes a page as a notebook: `python docs/site/notebook.py docs/beat-the-paper.md` writes beat-the-paper.ipynb here.

Prose becomes cells of text, Python cells of code, and what stands below it, printed or drawn, their outputs.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"^```(python|text)\n(.*?)^```\n", flags=re.DOTALL | re.MULTILINE)
_PICTURE = re.compile(r"\s*!\[([^\]]*)\]\(([\w-]+\.png)\)\n")


def notebook_of(page: Path) -> dict[str, Any]:
    """A page as a notebook of format 4.5."""
    text = page.read_text(encoding="utf-8")
    cells: list[dict[str, Any]] = []
    at = 0
    for block in _BLOCK.finditer(text):
        _add_prose(cells, text[at : block.start()], page.parent)
        if block[1] == "python":
            cells.append({"cell_type": "code", "source": block[2].rstrip("\n"), "outputs": [], "execution_count": None})
        else:
            cells[-1]["outputs"].append({"output_type": "stream", "name": "stdout", "text": block[2]})
        at = block.end()
    _add_prose(cells, text[at:], page.parent)
    numbered = [{"id": f"cell-{place}", "metadata": {}, **cell} for place, cell in enumerate(cells)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": numbered}


def _add_prose(cells: list[dict[str, Any]], prose: str, folder: Path) -> None:
    """Text between two blocks; a picture at its beginning is what the code before has drawn."""
    picture = _PICTURE.match(prose)
    if picture and cells and cells[-1]["cell_type"] == "code":
        drawn = base64.b64encode((folder / picture[2]).read_bytes()).decode()
        data = {"image/png": drawn, "text/plain": picture[1]}
        cells[-1]["outputs"].append({"output_type": "display_data", "data": data, "metadata": {}})
        prose = prose[picture.end() :]
    if prose.strip():
        cells.append({"cell_type": "markdown", "source": prose.strip()})


def main() -> None:
    """Write the notebooks of the pages that are named."""
    for name in sys.argv[1:]:
        target = Path(name).with_suffix(".ipynb").name
        Path(target).write_text(json.dumps(notebook_of(Path(name)), indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
