"""`quedge pqc list` and `quedge pqc show` end to end, and suites in other commands."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from quedge.files.scenario import read_scenario
from tests.cli.in_process import main_in

QUEDGE = [sys.executable, "-W", "error", "-m", "quedge"]


def run(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*QUEDGE, *arguments], cwd=folder, capture_output=True, text=True, timeout=600, check=False)


def shown(*arguments: str, folder: Path | None = None) -> dict:
    done = main_in(folder or Path(), "pqc", "show", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize(("rekey", "factor", "milliwatts"), [(1, 0.98705, 18.7), (100, 0.99854, 13.2)])
def test_show_gives_the_numbers_of_level_3_at_3_mbit(rekey: int, factor: float, milliwatts: float) -> None:
    found = shown("level3", "--device", "stm32f411", "--mbit", "3", "--rekey", str(rekey))
    assert round(found["payload_factor"], 5) == factor
    assert round(1e3 * found["pqc_power_w"], 1) == milliwatts
    assert set(found["pqc_power_parts_w"]) == {"static", "bits", "rekey", "frame_signature"}
    assert sum(found["pqc_power_parts_w"].values()) == pytest.approx(found["pqc_power_w"])
    assert found["feasible"] is True
    assert found["cpu_share"] == pytest.approx((375_000 * 43.57 + 6_851_925 / rekey) / 96e6)
    assert any("pqm4" in source for source in found["sources"].values())


def test_show_takes_every_setting_of_a_suite() -> None:
    found = shown(
        "level3", "--device", "STM32F411", "--kem", "hqc-128", "--sig", "ml-dsa-44", "--aead", "aes-256-gcm",
        "--framing", "cose", "--record-bytes", "1200", "--rekey", "2", "--sign-every-frame", "--mbit", "3",
    )  # fmt: skip
    names = ("kem", "signature", "aead", "framing", "device")
    assert [found[name] for name in names] == ["HQC-128", "ML-DSA-44", "AES-256-GCM", "cose", "stm32f411"]
    assert found["rekey_bytes"] == 34 + 4433 + 2420
    assert found["wire_bytes"] == 375_000 + 313 * 30 + 2420 + found["rekey_bytes"] / 2
    assert found["feasible"] is False
    assert found["max_rate_mbps"] < 3.0


def test_show_says_how_much_a_key_may_encrypt_and_what_is_outside_cnsa_2(tmp_path: Path) -> None:
    level5, level3 = shown("level5"), shown("level3", "--rekey", "1000000000")
    assert (level5["records_per_key"], level5["outside_cnsa_2"]) == (23_703_418, [])
    assert level3["records_per_key"] is None
    assert level3["outside_cnsa_2"][0] == "ML-KEM-768 instead of ML-KEM-1024"
    assert "conforms" in main_in(tmp_path, "pqc", "show", "level5").stdout
    assert "ML-DSA-65 instead of ML-DSA-87" in " ".join(main_in(tmp_path, "pqc", "show", "level3").stdout.split())


def test_show_without_a_device_is_about_the_wire_alone() -> None:
    found = shown("level5", "--mbit", "0.1", "--rekey", "1")
    assert round(found["payload_factor"], 5) == 0.66727
    assert found["pqc_power_w"] is None
    assert found["feasible"] is None


def test_show_goes_by_a_scenario_file(tmp_path: Path) -> None:
    (tmp_path / "cell.toml").write_text(
        "frame_s = 0.5\npower_budget_w = 0.05\n[pqc]\nsuite = 'level5'\ndevice = 'mine'\nrekey_frames = 4\n"
        "[pqc.devices.mine]\ncore = 'cortex-m4'\nclock_hz = 1e8\nactive_power_w = 0.05\n"
    )
    found = shown("--file", "cell.toml", "--mbit", "1", folder=tmp_path)
    assert (found["kem"], found["rekey_frames"], found["device"]) == ("ML-KEM-1024", 4, "mine")
    joules = (125_000 * 321.2 + (1_031_565 + 7_947_380) / 4) * 0.05 / 1e8
    assert found["pqc_power_w"] == pytest.approx(joules / 0.5)
    assert found["power_budget_share"] == pytest.approx(joules / 0.5 / 0.05)
    assert shown("level1", "--file", "cell.toml", folder=tmp_path)["kem"] == "ML-KEM-512"


def test_show_takes_the_file_s_settings_with_its_own_suite_and_options_for_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "cell.toml").write_text("[pqc]\nsuite = 'level3'\nrekey_frames = 7\n")  # no device
    assert shown("--file", "cell.toml", folder=tmp_path)["rekey_frames"] == 7
    assert shown("level3", "--file", "cell.toml", "--device", "stm32l4", folder=tmp_path)["rekey_frames"] == 7
    assert shown("level5", "--file", "cell.toml", folder=tmp_path)["rekey_frames"] == 100
    masked = shown("level3", "--device", "stm32f411", "--masking-factor", "3")
    assert masked["rekey_cycles"] == 658_754 + 3 * 6_193_171


def test_a_closed_output_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m quedge pqc show level3 >&-",
        shell=True,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_people_get_tables_with_sources(tmp_path: Path) -> None:
    done = run("pqc", "show", "level3", "--device", "stm32f411", "--aead", "AES-256-GCM")
    assert done.returncode == 0
    for text in ("0.99854", "97.2 mW", "not feasible", "pqps a03d43c", "ML-KEM-768 + ML-DSA-65"):
        assert text in done.stdout
    done = main_in(tmp_path, "pqc", "list", "--sources")
    assert done.returncode == 0
    for text in ("level5", "SLH-DSA-SHA2-128s", "SLH-DSA-SHAKE-256f", "stm32l4", "tls13-mutual", "FIPS 205", "wolfSSL"):
        assert text in done.stdout


def test_the_list_tells_builds_and_the_rates_they_allow(tmp_path: Path) -> None:
    lines = [" ".join(line.split()) for line in main_in(tmp_path, "pqc", "list").stdout.splitlines()]
    build = "wolfSSL 5.6.4, C without assembly, -Os, 4-bit GHASH table"
    assert f"stm32f411 AES-256-GCM {build} 321.2 2.391" in lines  # 8 · 96e6 / 321.2 bit/s
    assert f"stm32l4 AES-256-GCM {build} 321.2 1.993" in lines
    assert any(line.startswith("stm32f411 AES-256-GCM-CT derived sum, constant time: ") for line in lines)
    assert not any(line.startswith("rp2040 AES") for line in lines)  # no source gives it
    done = main_in(tmp_path, "pqc", "show", "level3", "--device", "stm32f411", "--aead", "aes-256-gcm")
    assert build in " ".join(done.stdout.split())


def test_the_list_as_json_has_every_row(tmp_path: Path) -> None:
    (tmp_path / "cell.toml").write_text("[pqc.devices.mine]\nclock_hz = 1e8\n")
    done = main_in(tmp_path, "pqc", "list", "--json", "--file", "cell.toml")
    found = json.loads(done.stdout)
    assert set(found) == {"suites", "algorithms", "cycles", "devices", "framings"}
    assert found["suites"]["level3"]["signature"] == "ML-DSA-65"
    assert [row["name"] for row in found["devices"]][-1] == "mine"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("level4",), "SUITE: 'level4' is not allowed; it must be one of level1, level3, level5"),
        (("level3", "--device", "stm32f412"), "--device: 'stm32f412' is not allowed; .*did you mean stm32f411"),
        (("level3", "--kem", "rsa"), "--kem: 'rsa' is not allowed; it must be one of ML-KEM-512"),
        (("level3", "--sig", "rsa"), "--sig: 'rsa' is not allowed"),
        (("level3", "--framing", "dtls"), "--framing: 'dtls' is not allowed; it must be one of pinned"),
        (("level3", "--mbit", "0"), "'0' is not allowed; it must be above 0"),
        (("level3", "--mbit", "x"), "'x' is not allowed"),
        (("level3", "--rekey", "0"), "'0' is not allowed; it must be an integer from 1 to"),
        (("level3", "--record-bytes", "1.5"), "'1.5' is not allowed; it must be an integer from 1"),
        (
            ("level3", "--device", "stm32f411", "--aead", "AES-256-GCM-HW"),
            r"no source gives the cycles of AES-256-GCM-HW \(a byte\) on stm32f411; a scenario file may: "
            r"\[pqc\.devices\.stm32f411\.cycles\.AES-256-GCM-HW\] byte = ",
        ),
        (
            ("level3", "--aead", "AES-256-GCM", "--rekey", "1000000000"),
            "rekey_frames: 1000000000 is not allowed; a key of AES-256-GCM may encrypt 23703418 records",
        ),
        (
            ("level3", "--aead", "AES-256-GCM-HW", "--rekey", "2000000"),
            "with 23 records a frame it must be at most 1030583",
        ),
        (("level3", "--file", "nowhere.toml"), "nowhere.toml: cannot be read"),
    ],
)
def test_bad_input_is_refused_on_one_line(tmp_path: Path, arguments: tuple[str, ...], complaint: str) -> None:
    done = main_in(tmp_path, "pqc", "show", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert re.search(complaint, done.stderr), done.stderr


def test_a_run_takes_a_suite_from_settings_and_keeps_it_in_its_files(tmp_path: Path) -> None:
    done = run(
        "run", "--frames", "20", "--set", "suite=level3", "--set", "device=stm32l4", "--set", "rekey_frames=10",
        "--policy", "exact", "--policy", "best-pair", "--json", "--out", "out", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    scenario = read_scenario(tmp_path / "out" / "scenario.toml").scenario
    assert (scenario.suite, scenario.device, scenario.rekey_frames) == ("level3", "stm32l4", 10)
    assert 0.0 < scenario.per_device("pqc_power_w")[0] < 0.001


def test_a_sweep_varies_suites(tmp_path: Path) -> None:
    done = run(
        "sweep", "--vary", "suite=level1,level5", "--vary", "rekey_frames=1,100", "--set", "device=stm32l4",
        "--frames", "20", "--seeds", "1", "--out", "out", "--workers", "1", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = list(csv.DictReader((tmp_path / "out" / "sweep-cells.csv").read_text().splitlines()))
    assert {(line["suite"], line["rekey_frames"]) for line in lines} == {
        (suite, rekey) for suite in ("level1", "level5") for rekey in ("1", "100")
    }


def test_a_contradiction_is_refused_with_the_setting_that_makes_it(tmp_path: Path) -> None:
    done = main_in(tmp_path, "run", "--set", "suite=level3", "--set", "device=stm32f411", "--set", "pqc_power_w=0.02")
    assert done.returncode == 2
    assert "--set pqc_power_w=0.02: pqc_power_w: 0.02 is not allowed beside the suite 'level3'" in done.stderr
