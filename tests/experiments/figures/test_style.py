"""One look a policy, in every figure."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from quedge.experiments.catalogue import EXPERIMENTS
from quedge.experiments.figures.style import SCHEME_STYLES, in_figure, styles_of
from quedge.experiments.paper.allocation_times import GRIDS
from quedge.experiments.presentation import POLICY
from quedge.policy.registry import SCHEMES

PAPERS = ("lydroo-noma", "lydroo-sca", "lydroo-tdma")

# Machado, Oliveira and Fernandes, 2009: what linear sRGB turns into without one kind of cones
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
)
PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(color: str, seen: np.ndarray) -> np.ndarray:
    """CIELAB of a colour as it is seen."""
    srgb = np.array([int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(TO_XYZ @ np.clip(seen @ linear, 0.0, 1.0) / TO_XYZ.sum(axis=1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_everybody_in_the_catalogue_has_a_look_of_their_own() -> None:
    names = {each.name for experiment in EXPERIMENTS.values() for grid in experiment.grids for each in grid.schemes}
    assert names | {scheme.name for scheme in SCHEMES} <= SCHEME_STYLES.keys()
    looks = [
        (style.color, style.dashes)
        for name, style in SCHEME_STYLES.items()
        if name not in ("NOMA, greedy", "TDMA", "SCA, compiled")
    ]
    assert len(set(looks)) == len(looks)


def test_a_policy_looks_alike_in_every_figure() -> None:
    alone, among = styles_of(["best-pair"]), styles_of(["mine", "exact", "best-pair", "mine:too"])
    assert alone["best-pair"] == among["best-pair"]


def test_the_papers_schemes_are_strong_and_what_stands_beside_them_is_quiet() -> None:
    assert {SCHEME_STYLES[name].dashes for name in PAPERS} == {"solid"}
    strong = min(SCHEME_STYLES[name].width for name in PAPERS)
    for name in ("exact", "equivariant"):
        red, green, blue = (SCHEME_STYLES[name].color[at : at + 2] for at in (1, 3, 5))
        assert red == green == blue
        assert SCHEME_STYLES[name].dashes != "solid"
        assert SCHEME_STYLES[name].width < strong


def test_an_allocator_has_the_colour_of_its_scheme() -> None:
    schemes = {"NOMA": "lydroo-noma", "TDMA": "lydroo-tdma", "SCA": "lydroo-sca"}
    for allocator in (each.name for grid in GRIDS for each in grid.schemes):
        assert SCHEME_STYLES[allocator].color == SCHEME_STYLES[schemes[allocator.partition(",")[0]]].color


@pytest.mark.parametrize("seen", [np.eye(3), DEUTERANOPIA, PROTANOPIA], ids=["all", "deuteranopia", "protanopia"])
def test_colour_blind_readers_tell_the_papers_schemes_apart(seen: np.ndarray) -> None:
    for one, other in itertools.combinations(PAPERS, 2):
        apart = lab(SCHEME_STYLES[one].color, seen) - lab(SCHEME_STYLES[other].color, seen)
        assert np.linalg.norm(apart) > 20.0, (one, other)


def test_policies_of_ones_own_take_what_is_left_in_order() -> None:
    names = ["mine:a", "exact", *(f"mine:{number}" for number in range(12))]
    styles = styles_of(names)
    assert styles == styles_of(names)
    assert len({(style.color, style.dashes, style.marker) for style in styles.values()}) == len(names)
    assert styles["mine:a"] == styles_of(["mine:a"])["mine:a"]


def test_lines_of_a_number_go_from_dark_to_light() -> None:
    styles = styles_of(["100", "1", "10"], ("nu",))
    lightness = [lab(styles[name].color, np.eye(3))[0] for name in ("1", "10", "100")]
    assert lightness == sorted(lightness)
    assert lightness[-1] < 80.0  # of 100, which is the page's white


def test_lines_of_names_have_no_policys_colour() -> None:
    styles = styles_of(["level1", "level3"], ("suite",))
    assert not {style.color for style in styles.values()} & {SCHEME_STYLES[name].color for name in PAPERS}


def test_lines_of_a_policy_and_a_value_have_the_colour_of_one_and_the_dashes_of_the_other() -> None:
    names = ["exact, nu = 1", "exact, nu = 2", "best-pair, nu = 1", "best-pair, nu = 2"]
    styles = styles_of(names, (POLICY, "nu"))
    assert [styles[name].color for name in names] == [SCHEME_STYLES[name.partition(",")[0]].color for name in names]
    assert styles[names[0]].dashes == styles[names[2]].dashes != styles[names[1]].dashes


def test_subscripts_are_set_as_such() -> None:
    assert in_figure("P_q while offloading (W)") == "$\\mathrm{P}_\\mathrm{q}$ while offloading (W)"
    assert in_figure("data_queue_mbit of stm32_l4") == "data_queue_mbit of stm32_l4"
