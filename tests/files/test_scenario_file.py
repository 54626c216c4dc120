from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from quedge.files.scenario import commented_template, read_scenario, write_scenario
from quedge.model.scenario import PARAMETERS, Scenario


def file(folder: Path, text: str) -> Path:
    path = folder / "cell.toml"
    path.write_text(text)
    return path


def test_without_file_and_settings_the_defaults_hold() -> None:
    assert read_scenario().scenario == Scenario()
    assert not read_scenario().fixes_devices


def test_the_template_loads_as_the_default_scenario(tmp_path: Path) -> None:
    assert read_scenario(file(tmp_path, commented_template())).scenario == Scenario()


def test_the_template_leaves_the_number_of_devices_open(tmp_path: Path) -> None:
    path = file(tmp_path, commented_template())
    assert not read_scenario(path).fixes_devices
    assert read_scenario(path, recorded_devices=3).scenario == Scenario(devices=3)


def test_the_template_has_every_key_with_meaning_unit_and_range() -> None:
    lines = commented_template().splitlines()
    for name, parameter in PARAMETERS.items():
        (at,) = (n for n, line in enumerate(lines) if line.removeprefix("# ").startswith(f"{name} = "))
        assert parameter.meaning in lines[at - 1]
        assert parameter.unit in lines[at - 1]
        assert parameter.allowed in lines[at - 1]


def test_a_key_may_stand_in_its_table_or_above_all_tables(tmp_path: Path) -> None:
    scenario = read_scenario(file(tmp_path, "nu = 5\n[uplink]\nbandwidth_hz = 1e6\n")).scenario
    assert scenario == dataclasses.replace(Scenario(), nu=5.0, bandwidth_hz=1e6)


def test_settings_come_after_the_file(tmp_path: Path) -> None:
    path = file(tmp_path, "[control]\nnu = 5\nv = 3\n")
    scenario = read_scenario(path, ["nu=7", "devices = 2", "pqc_power_w = [0.1, 2e-2]"]).scenario
    assert (scenario.nu, scenario.v, scenario.pqc_power_w) == (7.0, 3.0, (0.1, 0.02))


def test_devices_default_to_what_was_recorded(tmp_path: Path) -> None:
    assert read_scenario(recorded_devices=4).scenario.devices == 4
    assert read_scenario(settings=["devices=3"], recorded_devices=4).scenario.devices == 3
    assert read_scenario(file(tmp_path, "devices = 3"), recorded_devices=4).scenario.devices == 3


def test_devices_are_fixed_by_their_number_or_by_a_list() -> None:
    assert read_scenario(settings=["devices=3"]).fixes_devices
    assert read_scenario(settings=["weight=[1,1,1,1,1,1,1,1,1,1]"]).fixes_devices


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("nuu = 3", "nuu: unknown key (value 3); did you mean nu?"),
        (
            "bandwith_hz = 3",
            "bandwith_hz: unknown key (value 3); did you mean bandwidth_hz? `quedge init` lists the keys",
        ),
        ("[contrl]\nnu = 3", "contrl: unknown key (value {'nu': 3}); did you mean control?"),
        ("[uplink]\nnu = 3", "nu: the table [uplink] is not allowed; it must stand in [control]"),
        ("nu = 1\n[control]\nnu = 2", "nu: is given twice"),
        ("control = 3", "control: must be a table"),
        ("[[control]]\nnu = 3", "control: must be a table"),
        ("nu = ", "is not valid TOML"),
        ("nu = 1\nnu = 2", "is not valid TOML"),
        ("nu = '3'", "nu: '3' is not allowed; it must be a number, at least 0 and at most 1e+09"),
        ("nu = true", "nu: True is not allowed"),
        ("nu = nan", "nu: nan is not allowed"),
        ("nu = [1, 2]", "nu: [1, 2] is not allowed; it must be a number,"),
        ("nu = -1", "nu: -1.0 is not allowed; it must be at least 0 and at most 1e+09"),
        ("nu = 2020-01-01", "nu: datetime.date(2020, 1, 1) is not allowed"),
        (f"nu = 1{'0' * 400}", "nu: 1000"),
        ("devices = 10.0", "devices: 10.0 is not allowed; it must be an integer"),
        ("devices = 0", "devices: 0 is not allowed"),
        ("pqc_power_w = [1, 2]", "pqc_power_w: a list of 2 values is not allowed; it must hold one value for each"),
        ("devices = 2\npqc_power_w = [1, '2']", "pqc_power_w: [1, '2'] is not allowed"),
        ("devices = 2\npqc_power_w = [1, -2]", "pqc_power_w[1]: -2.0 is not allowed"),
        (f"nu = {'[' * 5000}", "is not valid TOML"),
    ],
)
def test_a_bad_file_is_refused_on_one_line_with_file_key_and_value(tmp_path: Path, text: str, complaint: str) -> None:
    path = file(tmp_path, text)
    with pytest.raises(ValueError, match=r"^.*$") as refusal:
        read_scenario(path)
    assert str(refusal.value).startswith(f"{path}: {complaint}")


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("nu", "it must be key=value"),
        ("nu=", "it must be key=value"),
        ("nu=abc", "nu: abc is not allowed; it must be a number, at least 0"),
        ("nuu=abc", "nuu: unknown key (value abc)"),
        ("nu=1\nv=2", "is not allowed; it must be a number, at least 0"),
        ("nu=-1", "nu: -1.0 is not allowed"),
        ("control.nu=1", "control.nu: unknown key (value 1); did you mean nu?"),
    ],
)
def test_a_bad_setting_is_refused_as_it_was_given(setting: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^--set nu|^--set control") as refusal:
        read_scenario(settings=[setting])
    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_key_set_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="nu: is set twice"):
        read_scenario(settings=["nu=1", "nu=2"])


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.toml: cannot be read"):
        read_scenario(tmp_path / "none.toml")
    with pytest.raises(ValueError, match="cannot be read"):
        read_scenario(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"# \xff\n")
    with pytest.raises(ValueError, match="UTF-8"):
        read_scenario(tmp_path / "latin.toml")


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "cell.toml").write_bytes(b"\xef\xbb\xbfnu = 5\n")
    assert read_scenario(tmp_path / "cell.toml").scenario.nu == 5.0


def test_a_scenario_with_a_correlated_and_imperfect_channel_reads_back_exactly(tmp_path: Path) -> None:
    scenario = Scenario(
        devices=2, doppler_hz=[0.0, 0.3], shadowing_db=6.5, shadowing_decorrelation_s=[0.0, 20.0], estimate_error=0.05,
        residual_sic_share=0.01, weight=[1.5, 1.0], distance_m=[120.0, 255.0],
    )  # fmt: skip
    write_scenario(scenario, tmp_path / "cell.toml")
    assert read_scenario(tmp_path / "cell.toml").scenario == scenario
    write_scenario(dataclasses.replace(scenario, doppler_hz=None), tmp_path / "still.toml")
    assert read_scenario(tmp_path / "still.toml").scenario.doppler_hz is None


@settings(max_examples=30, deadline=None)
@for_all(
    numbers=st.tuples(st.floats(0.0, 1e9), st.floats(1e-300, 1e9), st.floats(1.0, 1e12)),
    each=st.none() | st.lists(st.floats(0.0, 1e6), min_size=3, max_size=3),
)
def test_a_written_scenario_reads_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, numbers: tuple[float, float, float], each: list[float] | None
) -> None:
    v, nu, bandwidth = numbers
    scenario = Scenario(devices=3, v=v, nu=nu, bandwidth_hz=bandwidth, weight=each, pqc_power_w=each or 0.0)
    path = tmp_path_factory.mktemp("written") / "cell.toml"
    write_scenario(scenario, path)
    resolved = dataclasses.replace(
        scenario, weight=scenario.per_device("weight"), distance_m=scenario.per_device("distance_m")
    )
    assert read_scenario(path).scenario == resolved
    assert [left.name for left in path.parent.iterdir()] == ["cell.toml"]
