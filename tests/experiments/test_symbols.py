"""Keys as figures and tables name them, against the notation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quedge.experiments.symbols import SYMBOLS, assignment, axis_label, heading_of, value_text
from quedge.model.scenario import PARAMETERS

NOTATION = Path(__file__).parents[2] / "docs" / "notation.md"


def test_every_key_of_a_scenario_has_words() -> None:
    assert list(SYMBOLS) == list(PARAMETERS)
    assert all(symbol.words for symbol in SYMBOLS.values())


def test_symbols_are_those_of_the_notation() -> None:
    rows = [line.split("|")[1:3] for line in NOTATION.read_text().splitlines() if line.startswith("|")]
    symbols = {
        key: set(re.split(r",\s*", re.sub(r"\(.*?\)", "", symbol).strip()))
        for symbol, names in rows
        for key in re.findall(r"`(\w+)`", names)
    }
    for key, symbol in SYMBOLS.items():
        if symbol.symbol:
            assert symbol.symbol in {each.strip() for each in symbols[key]}, key


def test_keys_have_their_symbols_and_units() -> None:
    assert axis_label("arrival_rate_mbps") == "arrival rate λ (Mbit/s)"
    assert axis_label("nu") == "scaling of the energy queue ν"
    assert (heading_of("pqc_power_w"), heading_of("nu"), heading_of("kem")) == ("P_q (W)", "ν", "key encapsulation")
    assert (assignment("v", "20"), assignment("nu", "60")) == ("V = 20 Mbit", "ν = 60")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.02, "0.02"), (20.0, "20"), (10_000, "10,000"), (1e9, "1e9"), (1e-26, "1e-26"), (True, "True")],
)
def test_a_value_is_written_shortly(value: object, text: str) -> None:
    assert value_text(value) == text
