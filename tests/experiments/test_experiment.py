from __future__ import annotations

import pytest

from quedge.experiments.catalogue import EXPERIMENTS, NAMES, chosen
from quedge.experiments.experiment import Experiment, Grid, Size, points_of, vary
from quedge.experiments.fingerprint import name_of
from quedge.files.policies import POLICIES
from quedge.model.scenario import Scenario
from quedge.policy.registry import ALL_LOCAL, BEST_SINGLE, SCHEMES


def experiment(*grids: Grid) -> Experiment:
    return Experiment("mine", "Mine", "", grids)


def test_a_grid_is_every_variant_under_every_policy_and_seed() -> None:
    grid = Grid([ALL_LOCAL, BEST_SINGLE], vary(nu=[1.0, 2.0], v=[3.0]), Scenario(devices=4))
    points = list(points_of(experiment(grid), Size(frames=7, seeds=2)))
    assert len(points) == 2 * 2 * 2
    assert [point.seed for point in points] == [0] * 4 + [1] * 4  # a seed of everything before the next
    assert {(point.job.scenario.nu, point.job.scenario.v, point.job.scenario.devices) for point in points} == {
        (1.0, 3.0, 4), (2.0, 3.0, 4)
    }  # fmt: skip
    assert {point.job.frames for point in points} == {7}


def test_a_grid_may_run_less_but_never_more_than_the_size() -> None:
    short, long = Grid([ALL_LOCAL], frames=3, seeds=1), Grid([BEST_SINGLE], frames=100, seeds=9)
    points = list(points_of(experiment(short, long), Size(frames=7, seeds=2)))
    assert [(point.scheme, point.seed, point.job.frames) for point in points] == [
        ("all-local", 0, 3), ("best-single", 0, 7), ("best-single", 1, 7)
    ]  # fmt: skip


def test_tables_and_figures_share_their_cells() -> None:
    size = Size(frames=5, seeds=2)
    cells = {name: {name_of(point.job) for point in points_of(EXPERIMENTS[name], size)} for name in EXPERIMENTS}
    assert cells["fig8"] < cells["table4"] < cells["beyond-v"]
    assert cells["fig9"] < cells["table3"] < cells["beyond-nu"]
    assert cells["fig6"] == cells["table2"]
    assert cells["beyond-delay"] == cells["beyond-arrivals"]
    assert cells["fig7"] < cells["beyond-circuit-power"]


def test_the_catalogue_has_every_figure_and_table_of_the_paper() -> None:
    asked = ["fig3", "fig4", "fig5", "fig6", "fig7", "fig8", "fig9", "table2", "table3", "table4"]
    assert sorted(each.name for each in chosen(asked)) == sorted(asked)
    assert {each.name for each in chosen(["all"])} == set(EXPERIMENTS)
    assert {each.name for each in chosen(["beyond"])} == set(EXPERIMENTS) - set(asked)
    assert [each.name for each in chosen(["table3", "fig3", "table3"])] == ["fig3", "table3"]
    assert set(NAMES) == {"all", "beyond", *EXPERIMENTS}


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'fig2' is not allowed; it must be one of all, beyond, fig3"):
        chosen(["fig2"])


def test_schemes_are_the_policies_of_the_command_line() -> None:
    assert {scheme.name: scheme.policy for scheme in SCHEMES} == POLICIES
