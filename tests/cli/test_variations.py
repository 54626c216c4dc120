from __future__ import annotations

import re

import pytest

from quedge.cli.sweep import check_combinations, first_values, variations_of
from quedge.model.scenario import Scenario


def test_values_are_those_of_toml() -> None:
    texts = ["nu=1, 50,1e2", "devices=2,4", "weight=1.5"]
    assert variations_of(texts, Scenario()) == {"nu": [1.0, 50.0, 100.0], "devices": [2, 4], "weight": [1.5]}


def test_a_value_can_be_a_list_with_a_number_a_device() -> None:
    assert variations_of(["weight=[1,2],[2,1],3"], Scenario(devices=2)) == {"weight": [(1.0, 2.0), (2.0, 1.0), 3.0]}


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        ([], "--vary: is missing; it must name a key and its values"),
        (["nu"], "--vary nu: is not allowed; it must be key=value,value,..."),
        (["nu="], "--vary nu=: is not allowed; it must be key=value,value,..."),
        (["nuu=1,2"], "--vary nuu=1,2: nuu: unknown key (value 1,2); did you mean nu?"),
        (["nu=1,x"], "--vary nu=1,x: '1,x' is not allowed; it must be values with commas between them"),
        (["nu=1]\nv=[2"], "it must be values with commas between them"),
        (["nu=,"], "it must be values with commas between them"),
        (["nu=1,-1"], "--vary nu=1,-1: nu: -1.0 is not allowed; it must be at least 0 and at most 1e+09"),
        (["devices=2.5"], "--vary devices=2.5: devices: 2.5 is not allowed; it must be an integer"),
        (["weight=[1,2,3]"], "--vary weight=[1,2,3]: weight: a list of 3 values is not allowed"),
        (["nu=1", "nu=2"], "--vary nu=2: nu: is varied twice; once is allowed"),
        (["nu=1,1.0"], "--vary nu=1,1.0: nu: a value stands there twice; once is allowed"),
        (["nu=nan"], "nu: nan is not allowed"),
    ],
    ids=str,
)
def test_what_is_not_allowed_is_named(texts: list[str], complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        variations_of(texts, Scenario(devices=2))


def test_the_first_values_are_what_a_scenario_is_read_with() -> None:
    first = first_values(["suite=level1,level3", "rekey_frames=1,10"])
    assert [(preset.key, preset.value) for preset in first] == [("suite", "level1"), ("rekey_frames", 1)]
    assert first[0].option == "--vary suite=level1,level3"


def test_values_that_do_not_go_together_are_refused_together() -> None:
    scenario = Scenario(suite="level3", device="stm32l4")
    varied = variations_of(["device=stm32l4,stm32f411", "aead=ChaCha20-Poly1305,AES-256-GCM-HW"], scenario)
    with pytest.raises(
        ValueError, match=r"^--vary: device = stm32f411, aead = AES-256-GCM-HW: device: no source gives"
    ):
        check_combinations(varied, scenario)
    check_combinations({"device": ["stm32l4"], "aead": ["AES-256-GCM-HW", "AES-256-GCM"]}, scenario)
