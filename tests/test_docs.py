"""The documentation can be found and followed: each page is in the table of contents, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import quedge

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("api/*.md")])
TEXTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES]
CLIENTS = {"AsyncClient", "Client", "FreshStart", "ReportRefused", "ServiceUnavailable"}


def without_code(text: str) -> str:
    """A page's prose: neither fenced blocks nor code within a line."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and Sphinx give to a page's headings, as far as both agree."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text: str) -> list[str]:
    """The targets of a page's links and pictures that are no web addresses."""
    targets = re.findall(r"\]\(([^)\s]+)\)", without_code(text))
    return [target for target in targets if not target.startswith(("http://", "https://", "mailto:"))]


def test_every_page_is_in_the_table_of_contents_once() -> None:
    tables = re.findall(r"```{toctree}\n(.*?)```", (DOCS / "index.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    entries = [line for table in tables for line in table.split() if not line.startswith(":")]
    found = [page for entry in entries for page in DOCS.glob(f"{entry}.md")]
    assert sorted(found) == [page for page in PAGES if page.name != "index.md"]


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target in links(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target} leads nowhere"
        assert not anchor or anchor in anchors(file), f"{target}: there is no such heading"


def test_every_public_name_is_described_on_one_page() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.glob("api/*.md"))
    described = re.findall(r"^\.\. auto(?:class|data|exception|function):: quedge\.(\w+)$", pages, flags=re.MULTILINE)
    assert sorted(described) == sorted([*quedge.__all__, *CLIENTS])


def test_a_floor_that_is_described_is_a_floor_of_the_package() -> None:
    floors = {folder.name for folder in (ROOT / "src" / "quedge").iterdir() if (folder / "__init__.py").exists()}
    assert {page.stem.replace("-", "_") for page in DOCS.glob("api/*.md")} == floors


def test_the_files_that_a_contributor_is_sent_to_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w.]+(?:/[\w.-]+)*(?:/|\.py|\.md))`", text[text.index("## Where to add what") :])
    assert len(named) > 20
    for path in named:
        above = ROOT if path.startswith(("tests/", "docs/", "src/")) else ROOT / "src" / "quedge"
        if "NAME" not in path and path != "__init__.py":
            assert (above / path).exists(), path
