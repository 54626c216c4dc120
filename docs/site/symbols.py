"""Symbols of the paper in the index, and so in the search: the rows of notation.md, and the pages that write them.

A search knows words of a page; a symbol is one letter, or a formula. So `V`, `ν`, `nu`, `Q_i` and `data_queue_mbit`
become entries of the index, which lead to the symbol's row and to the first section of each page that has it.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from quedge.model.scenario import PARAMETERS
from quedge.simulation.trace import Trace

NOTATION = "notation"

_SYMBOL = re.compile(r"[^\W\d]\u0302?\d?(_\w+)?")  # a letter, perhaps with a hat, a number and a subscript
_WORDS = re.compile(r"\\(text|math\w+|operatorname|begin|end|tag)\s*\{[^{}]*\}")
_WRITTEN = re.compile(r"\\([A-Za-z]+)(?:_\{?(\w)\}?(?!\w))?|(?<![\\\w])([A-Za-z])(?:_\{?(\w)\}?(?!\w))?")
_UNICODE_SAYS = "lamda", "lambda"  # for what all others call lambda
_GREEK = re.compile(r"(?<!\w)[α-ωΑ-Ω](?!\w)")


def spelled(symbol: str) -> str:
    """A symbol in plain letters: `nu` for ν, `phi_s` for φ_s, `h` for ĥ."""
    return "".join(_in_letters(each) for each in unicodedata.normalize("NFD", symbol))


def _in_letters(letter: str) -> str:
    if unicodedata.combining(letter):
        return ""
    name = unicodedata.name(letter, "")
    return name.rpartition(" ")[2].lower().replace(*_UNICODE_SAYS) if name.startswith("GREEK") else letter


def symbols_of(cell: str) -> list[str]:
    """The symbols in the first cell of a row, such as Q, or a and b in `a = Q + V c, b = ν Y`."""
    parts = (re.split(r"[=(]", part)[0].strip() for part in re.split(r"[,;]", cell))
    return [part for part in parts if _SYMBOL.fullmatch(part)]


def entries_of(symbols: Iterable[str], names: Iterable[str]) -> list[str]:
    """What a row can be found by: its symbols, written and spelled, with an index where devices have their own."""
    names = list(names)
    found = list(symbols)
    if any(_is_per_device(name) for name in names):
        found += [f"{symbol}_i" for symbol in found if "_" not in symbol]
    return list(dict.fromkeys([*found, *map(spelled, found), *names]))


def _is_per_device(name: str) -> bool:
    if name in PARAMETERS:
        return PARAMETERS[name].per_device
    return name in {field.name for field in dataclasses.fields(Trace)}


def symbols_in(latex: str, known: set[str]) -> set[str]:
    """The symbols that a formula writes: all Greek ones, and of the others those that are known."""
    found = set()
    for greek, index, letter, of_letter in _WRITTEN.findall(_WORDS.sub(" ", latex)):
        symbol = _greek(greek) if greek else letter if letter in known else ""
        if symbol:
            subscript = index or of_letter
            found |= {symbol, f"{symbol}_{subscript}"} if subscript else {symbol}
    return found


def _greek(command: str) -> str:
    """The letter that a command of LaTeX writes, if that is Greek."""
    size = "CAPITAL" if command[0].isupper() else "SMALL"
    try:
        name = command.removeprefix("var").lower().replace(*reversed(_UNICODE_SAYS))
        return unicodedata.lookup(f"GREEK {size} LETTER {name}")
    except KeyError:
        return ""


class SymbolIndex(SphinxTransform):
    """Adds a page's symbols to the index."""

    default_priority = 700  # before the index is read from the page

    def apply(self, **given: Any) -> None:
        """Index the rows of the notation, or the sections of another page."""
        entries = self._of_rows() if self.env.docname == NOTATION else self._of_sections()
        node = addnodes.index(entries=[("single", entry, anchor, "main", None) for entry, anchor in entries])
        if node["entries"]:
            self.document.insert(0, node)

    def _of_rows(self) -> Iterator[tuple[str, str]]:
        anchors: set[str] = set()
        for row in self.document.findall(nodes.row):
            cell, names = row[0].astext(), [literal.astext() for literal in row[1].findall(nodes.literal)]
            symbols = symbols_of(cell)
            anchor = nodes.make_id("symbol-" + spelled((symbols or names or [""])[0]))
            if not symbols and not names:
                continue
            while anchor in anchors:
                anchor += "-also"
            anchors.add(anchor)
            row["ids"].append(anchor)
            yield from ((entry, anchor) for entry in entries_of(symbols, names))

    def _of_sections(self) -> Iterator[tuple[str, str]]:
        known = self.config.symbols_known
        seen: set[str] = set()
        for node in self.document.findall(lambda node: isinstance(node, nodes.math | nodes.math_block | nodes.Text)):
            is_formula = not isinstance(node, nodes.Text)
            if not is_formula and isinstance(node.parent, nodes.math | nodes.math_block):
                continue
            written = symbols_in(node.astext(), known) if is_formula else set(_GREEK.findall(node.astext()))
            section = node.parent
            while section is not None and not isinstance(section, nodes.section):
                section = section.parent
            anchor = section["ids"][0] if section is not None else ""
            for entry in sorted({each for symbol in written for each in (symbol, spelled(symbol))} - seen):
                seen.add(entry)
                yield entry, anchor


def known_symbols(page: Path) -> set[str]:
    """The symbols that the notation has a row for."""
    rows = re.findall(r"^\| ([^|]+) \|", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {symbol for row in rows for symbol in symbols_of(row)}


def read_symbols(app: Sphinx, config: Any) -> None:
    """Know the notation before any page is read."""
    config.symbols_known = known_symbols(Path(app.srcdir) / f"{NOTATION}.md")


def setup(app: Sphinx) -> dict[str, bool]:
    """Index every page as it is read."""
    app.add_config_value("symbols_known", set(), "")
    app.connect("config-inited", read_symbols)
    app.add_transform(SymbolIndex)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
