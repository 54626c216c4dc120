"""`quedge pqc emulate` and `quedge pqc measure`."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quedge.cli import main
from quedge.pqc import measure as measuring
from quedge.pqc.costs import traffic_of
from quedge.pqc.suite import SUITES
from tests.cli.in_process import main_in

QUEDGE = [sys.executable, "-W", "error", "-m", "quedge", "pqc"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*QUEDGE, *arguments], capture_output=True, text=True, timeout=600, check=False)


def test_an_emulation_prints_one_object_and_nothing_else() -> None:
    done = run("emulate", "--suite", "level3", "--mbit", "0.1", "--rekey", "10", "--frames", "20", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["payload_factor_measured"] == pytest.approx(found["payload_factor_predicted"], abs=1e-9)
    assert (found["frames"], found["rejected"], found["key_exchanges"]) == (20, 0, 2)
    assert found["task_bytes"] == 20 * 12_500
    assert found["bytes_on_wire"] == 20 * (12_500 + 22) + 2 * (16 + 1088 + 3309)
    assert (found["kem"], found["signature"]) == (SUITES["level3"].kem, SUITES["level3"].signature)
    for name in ("device_us_per_frame", "server_us_per_frame"):
        assert 0.0 < found[name] <= found[f"{name}_p95"]


def test_an_emulation_takes_every_setting_of_a_suite(tmp_path: Path) -> None:
    done = main_in(
        tmp_path, "pqc",
        "emulate", "--suite", "LEVEL5", "--kem", "ml-kem-512", "--sig", "ml-dsa-44", "--aead", "aes-256-gcm", "--mbit",
        "0.08", "--frames", "3", "--record-bytes", "100", "--sign-every-frame", "--json",
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert (found["kem"], found["signature"], found["aead"]) == ("ML-KEM-512", "ML-DSA-44", "AES-256-GCM")
    assert found["bytes_on_wire"] == 3 * (10_000 + 100 * 22 + 2420) + 16 + 768 + 2420


def test_a_hybrid_is_emulated_byte_by_byte(tmp_path: Path) -> None:
    done = main_in(tmp_path, "pqc", "emulate", "--kem", "x25519mlkem768", "--mbit", "0.08", "--frames", "3", "--json")
    found = json.loads(done.stdout)
    assert (found["kem"], found["accepted"]) == ("X25519MLKEM768", 3)
    assert found["bytes_on_wire"] == 3 * (10_000 + 22) + 16 + 1088 + 32 + 3309


def test_an_emulation_for_people_says_both_payload_factors(tmp_path: Path) -> None:
    done = main_in(tmp_path, "pqc", "emulate", "--mbit", "1", "--frames", "100")
    assert done.returncode == 0
    assert f"{traffic_of(SUITES['level3']).payload_factor(1e6):.9f} measured" in done.stdout
    assert "0.998242056 predicted" in done.stdout
    assert "accepted, rejected  100, 0" in done.stdout


def test_damaged_frames_are_counted_as_rejected(tmp_path: Path) -> None:
    done = main_in(tmp_path, "pqc", "emulate", "--mbit", "0.008", "--frames", "50", "--damage", "0.9", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["rejected"] >= 30
    assert found["accepted"] == 50 - found["rejected"]
    assert found["payload_factor_measured"] is None


def test_an_emulation_that_fails_ends_with_status_1_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("quedge.pqc.uplink.emulation._damaged", lambda records, rng: records)
    assert main(["pqc", "emulate", "--frames", "50", "--mbit", "0.008", "--damage", "0.9"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "quedge: the emulation failed: the server accepted a damaged frame\n")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["emulate", "--suite", "level2"], ["--suite", "'level2'", "level1, level3, level5"]),
        (["emulate", "--kem", "ML-KEM-1"], ["--kem", "'ML-KEM-1'", "ML-KEM-512"]),
        (["emulate", "--suite", "level5", "--rekey", "1000000000"],
         ["rekey_frames: 1000000000", "AES-256-GCM", "at most 23703418"]),
        (["emulate", "--suite", "level5", "--rekey", "2000000"],
         ["rekey_frames: 2000000", "23 records a frame", "at most 1030583"]),
        (["emulate", "--sig", "Falcon-512"], ["--sig", "'Falcon-512'", "ML-DSA-44"]),
        (["emulate", "--aead", ""], ["--aead", "''", "AES-256-GCM"]),
        (["emulate", "--mbit", "0"], ["--mbit", "'0'", "above 0"]),
        (["emulate", "--mbit", "nan"], ["--mbit", "'nan'", "at most 1000"]),
        (["emulate", "--mbit", "0.000001"], ["--mbit", "'0.000001'", "whole number of bytes"]),
        (["emulate", "--mbit", "1001"], ["--mbit", "'1001'", "at most 1000"]),
        (["emulate", "--frames", "0"], ["--frames", "'0'", "from 1 to 1000000"]),
        (["emulate", "--rekey", "x"], ["--rekey", "'x'", "from 1 to"]),
        (["emulate", "--record-bytes", "16777216"], ["--record-bytes", "16777216", "to 16777215"]),
        (["emulate", "--damage", "1"], ["--damage", "'1'", "below 1"]),
        (["emulate", "--seed", "-1"], ["--seed", "'-1'", "from 0"]),
        (["measure", "--suite", "x"], ["--suite", "'x'", "level1"]),
        (["measure", "--algorithm", "x"], ["--algorithm", "'x'", "ML-KEM-512"]),
        (["measure", "--algorithm", "Falcon-512"], ["--algorithm", "'Falcon-512'", "none of the supported libraries"]),
        (["measure", "--repeat", "0"], ["--repeat", "'0'", "from 1 to 100000"]),
        (["measure", "--bytes", "1,,2"], ["--bytes", "'1,,2'", "integers from 1"]),
        (["measure", "--bytes", "0"], ["--bytes", "'0'", "integers from 1"]),
    ],
)  # fmt: skip
def test_a_bad_value_is_one_line_that_names_option_value_and_what_is_allowed(
    arguments: list[str], named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pqc", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert all(part in told.err for part in named), told.err


def test_a_missing_library_is_one_line_with_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for command in ("emulate", "measure"):
        assert main(["pqc", command, "--suite", "level1"]) == 2
        told = capsys.readouterr().err
        assert told == "quedge: ML-KEM-512 needs pqcrypto, which is not installed: pip install 'quedge[pqc-all]'\n"


def test_ctrl_c_ends_an_emulation_quietly_and_at_once() -> None:
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [*QUEDGE, "emulate", "--frames", "1000000", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=terminal, env=os.environ | {"TERM": "xterm"}, text=True,
    ) as process:  # fmt: skip
        os.close(terminal)
        shown = b""
        while b"emulate" not in shown:  # now it runs
            shown += os.read(controller, 4096)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=600)
    os.close(controller)
    assert (process.returncode, output) == (130, "")
    assert b"Traceback" not in shown


def test_a_measurement_prints_one_object_with_sizes_and_times() -> None:
    done = run("measure", "--suite", "level3", "--algorithm", "aes-256-gcm", "--repeat", "3", "--bytes", "64", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    names = [each["algorithm"] for each in found["algorithms"]]
    assert names == ["ML-KEM-768", "ML-DSA-65", "ChaCha20-Poly1305", "AES-256-GCM"]
    assert {each["sizes"] for each in found["algorithms"]} == {"ok"}
    (kem, *_, aead) = found["algorithms"]
    assert (kem["public_key_bytes"], kem["output_bytes"], kem["library"]) == (1184, 1088, "cryptography")
    assert [operation["operation"] for operation in kem["operations"]] == ["keygen", "encaps", "decaps"]
    assert aead["operations"][0]["data_bytes"] == 64
    assert found["machine"]["cpus"] >= 1
    assert set(found["machine"]["libraries"]) == {"cryptography", "pqcrypto", "OpenSSL"}
    assert found["clock"] == "time.thread_time_ns"


def test_a_measurement_for_people_tells_clock_load_and_versions(tmp_path: Path) -> None:
    done = main_in(tmp_path, "pqc", "measure", "--algorithm", "ML-KEM-768", "--repeat", "3")
    assert done.returncode == 0
    for part in ("thread_time_ns", "load average", "OpenSSL", "keygen", "1,184", "ok"):
        assert part in done.stdout


def test_a_size_that_is_not_the_profiles_ends_with_status_1_and_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measuring.Measured, "mismatches", ("ML-KEM-768: output has 1 bytes where the profile has 2",))
    assert main(["pqc", "measure", "--algorithm", "ML-KEM-768", "--repeat", "1"]) == 1
    told = capsys.readouterr()
    assert told.err == "quedge: ML-KEM-768: output has 1 bytes where the profile has 2\n"
    assert "differ" in told.out
