"""What is to be cited is said alike wherever it is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import quedge

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "citing.md").read_text(encoding="utf-8")
FILE = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_title_in_the_citation_file_has_its_bibtex() -> None:
    titles = re.findall(r'^\s*(?:- )?title: "(.*)"$', FILE, flags=re.MULTILINE)
    known = [re.sub(r"[{}]", "", title) for title in re.findall(r"^\s*title\s*= \{(.*)\}", PAGE, flags=re.MULTILINE)]
    assert len(known) == 3
    assert titles == known
    for identifier in ("2604.25980", "10.1109/TWC.2021.3085319"):
        assert identifier in FILE
        assert identifier in PAGE


@pytest.mark.parametrize("text", [PAGE, README])
def test_the_version_to_cite_is_the_version(text: str) -> None:
    assert re.findall(r"version = \{([^}]*)\}", text) == [quedge.__version__]
    assert f"version: {quedge.__version__}\n" in FILE
