"""A user's own algorithms, devices and framings in a scenario file."""

from __future__ import annotations

from pathlib import Path

import pytest

from quedge.files.scenario import read_scenario, write_scenario
from quedge.model.scenario import Scenario
from quedge.pqc.profiles import known_profiles

OWN = """
nu = 50

[pqc]
suite = "level3"
device = "my board"
kem = "Mine-1"
framing = "bare"
rekey_frames = 7

[pqc.algorithms.Mine-1]
kind = "kem"
output_bytes = 900
source = "my thesis"

[pqc.devices."my board"]
clock_hz = 200_000_000
active_power_w = 0.05
cycles."Mine-1" = { encaps = 1000 }
cycles.ML-DSA-65.sign = { cycles = 2e6, source = "measured" }
cycles.ChaCha20-Poly1305.byte = { cycles = 10, build = "our own, -O3" }

[pqc.framings.bare]
fixed_bytes = 4
record_header_bytes = 0
"""


def file(folder: Path, text: str) -> Path:
    path = folder / "cell.toml"
    path.write_text(text)
    return path


def test_rows_of_a_users_own_make_a_suite(tmp_path: Path) -> None:
    scenario = read_scenario(file(tmp_path, OWN)).scenario
    assert scenario.nu == 50.0
    assert scenario.per_device("pqc_overhead_bits")[0] == pytest.approx(8 * (16 + (4 + 900 + 3309) / 7))
    assert scenario.per_device("pqc_energy_j_per_bit")[0] == pytest.approx(10 / 8 * 0.05 / 200e6)
    assert scenario.per_device("pqc_power_w")[0] == pytest.approx(2_001_000 / 7 * 0.05 / 200e6)


def test_a_scenario_with_rows_and_a_suite_reads_back_exactly(tmp_path: Path) -> None:
    scenario = read_scenario(file(tmp_path, OWN)).scenario
    write_scenario(scenario, tmp_path / "written.toml")
    again = read_scenario(tmp_path / "written.toml").scenario
    for name in ("suite", "device", "kem", "framing", "rekey_frames", "aead", "profiles", "derived"):
        assert getattr(again, name) == getattr(scenario, name), name
    assert [row.build for row in again.profiles.cycles if row.runs_on == "my board"] == ["", "", "our own, -O3"]


def test_a_missing_number_of_a_known_device_can_be_filled_in(tmp_path: Path) -> None:
    text = "[pqc]\nsuite = 'level5'\ndevice = 'stm32f411'\naead = 'AES-256-GCM-HW'\n"
    with pytest.raises(
        ValueError, match=r"device: no source gives .* \[pqc\.devices\.stm32f411\.cycles\.AES-256-GCM-HW\]"
    ):
        read_scenario(file(tmp_path, text))
    text += "[pqc.devices.stm32f411.cycles.AES-256-GCM-HW]\nbyte = 26.0\n"
    scenario = read_scenario(file(tmp_path, text)).scenario
    assert scenario.per_device("pqc_energy_j_per_bit")[0] == pytest.approx(26.0 / 8 * 0.0774 / 96e6)


def test_names_are_matched_in_any_case_of_letters(tmp_path: Path) -> None:
    text = (
        "[pqc]\nsuite = 'LEVEL3'\ndevice = 'STM32F411'\n[pqc.devices.Stm32F411]\nactive_power_w = 0.774\n"
        "[pqc.devices.STM32f411.cycles.chacha20-poly1305]\nbyte = 10\n[pqc.framings.PINNED]\nfixed_bytes = 100\n"
    )
    scenario = read_scenario(file(tmp_path, text.replace("STM32f411", "Stm32F411"))).scenario
    assert (scenario.suite, scenario.device) == ("level3", "stm32f411")
    assert scenario.per_device("pqc_energy_j_per_bit")[0] == pytest.approx(10 / 8 * 0.774 / 96e6)
    assert scenario.per_device("pqc_overhead_bits")[0] == pytest.approx(8 * (22 + (100 + 1088 + 3309) / 100))


def test_a_changed_number_does_not_keep_the_source_of_the_old_one(tmp_path: Path) -> None:
    profiles = read_scenario(file(tmp_path, "[pqc.devices.stm32f411]\nactive_power_w = 0.02\n")).scenario.profiles
    assert profiles.device("device", "stm32f411").source == "scenario file"
    text = "[pqc.devices.stm32f411]\nactive_power_w = 0.02\nsource = 'our bench'\n"
    profiles = read_scenario(file(tmp_path, text)).scenario.profiles
    assert profiles.device("device", "stm32f411").source == "our bench"


def test_without_rows_the_known_ones_hold(tmp_path: Path) -> None:
    assert read_scenario(file(tmp_path, "[pqc]\npqc_power_w = 0.01\n")).scenario == Scenario(pqc_power_w=0.01)
    assert read_scenario(settings=["suite=level1", "device=stm32l4"]).scenario.profiles == known_profiles()


def test_a_suite_can_be_set_without_quotes_and_with() -> None:
    bare = read_scenario(settings=["suite=level1", "device=stm32l4", "rekey_frames=5", "sign_every_frame=true"])
    quoted = read_scenario(settings=['suite="level1"', "device='stm32l4'", "rekey_frames=5", "sign_every_frame=true"])
    assert bare.scenario == quoted.scenario
    assert bare.scenario.sign_every_frame is True


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[pqc]\nsuite = 3", "suite: 3 is not allowed; it must be a name"),
        ("[pqc]\nrekey_frames = 1.0", "rekey_frames: 1.0 is not allowed; it must be an integer"),
        ("[pqc]\nsign_every_frame = 1", "sign_every_frame: 1 is not allowed; it must be true or false"),
        ("[pqc]\ndevices = 3", "pqc.devices: 3 is not allowed; it must be a table"),
        ("[pqc.devices]\nmine = 3", "pqc.devices.mine: 3 is not allowed; it must be a table"),
        ("[pqc.devices.mine]\nclock = 3", "pqc.devices.mine: clock: unknown key (value 3); it may have title, core,"),
        (
            "[pqc.devices.mine]\nclock_hz = 0",
            "pqc.devices.mine: clock_hz: 0 is not allowed; it must be a number, above 0",
        ),
        ("[pqc.devices.mine]\nclock_hz = inf", "pqc.devices.mine: clock_hz: inf is not allowed"),
        ("[pqc.devices.mine]\nclock_hz = '3'", "pqc.devices.mine: clock_hz: '3' is not allowed"),
        ("[pqc.devices.mine]\nsource = 3", "pqc.devices.mine: source: 3 is not allowed; it must be a text"),
        ("[pqc.algorithms.X]\noutput_bytes = 3", "pqc.algorithms.X: kind: is missing; a row of its own needs it"),
        ("[pqc.algorithms.X]\nkind = 'mac'", "pqc.algorithms.X: kind: 'mac' is not allowed; it must be one of kem,"),
        ("[pqc.algorithms.X]\nkind = 'kem'\noutput_bytes = 1.5", "pqc.algorithms.X: output_bytes: 1.5 is not allowed"),
        ("[pqc.framings.X]\nfixed_bytes = -1", "pqc.framings.X: fixed_bytes: -1 is not allowed"),
        ("[pqc.devices.mine.cycles.AES]\nbyte = 1", "pqc.devices.mine.cycles: AES: unknown algorithm"),
        (
            "[pqc.devices.mine.cycles.ML-KEM-768]\nsign = 1",
            "pqc.devices.mine.cycles.ML-KEM-768: sign: unknown operation; it must be one of keygen, encaps, decaps",
        ),
        (
            "[pqc.devices.mine.cycles.ML-KEM-768]\nencaps = -1",
            "pqc.devices.mine.cycles.ML-KEM-768: encaps: -1 is not allowed; it must be a number, above 0",
        ),
        (
            "[pqc.devices.mine.cycles.ML-KEM-768]\nencaps = {a = 1}",
            "pqc.devices.mine.cycles.ML-KEM-768.encaps: must be",
        ),
    ],
)
def test_bad_rows_are_refused_with_their_place(tmp_path: Path, text: str, complaint: str) -> None:
    path = file(tmp_path, text)
    with pytest.raises(ValueError, match=r"^.*$") as refusal:
        read_scenario(path)
    assert str(refusal.value).startswith(f"{path}: {complaint}")
