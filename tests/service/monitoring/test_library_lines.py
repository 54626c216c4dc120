"""Standard error, taken over, and what becomes of its lines."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

pytest.importorskip("grpc")

from quedge.service.monitoring.library_lines import LibraryLines
from quedge.service.monitoring.observers import Observer
from quedge.service.standard_error import taken_over
from quedge.service.tls.handshakes import Arrivals

PREFIX = "1130 15:20:33.818823    5398 "


class Told(Observer):
    def __init__(self) -> None:
        self.said: list[tuple[str, str, str]] = []
        self.failed: list[tuple[str, str]] = []

    def library_said(self, level: str, source: str, text: str) -> None:
        self.said.append((level, source, text))

    def handshake_failed(self, reason: str, peer: str) -> None:
        self.failed.append((reason, peer))


def test_grpc_s_lines_keep_level_source_and_text_and_information_is_left_out() -> None:
    told = Told()
    LibraryLines(told, Arrivals()).take(
        [
            f"E{PREFIX}tcp_server_posix.cc:252] Failed accept4: Too many open files",
            f"W{PREFIX}a.cc:1] mind this",
            f"I{PREFIX}b.cc:2] nothing of importance",
            "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
            "Traceback (most recent call last):",
        ]
    )
    assert told.said == [
        ("error", "tcp_server_posix.cc:252", "Failed accept4: Too many open files"),
        ("warning", "a.cc:1", "mind this"),
        ("warning", "", "Traceback (most recent call last):"),
    ]
    assert told.failed == []


def test_failures_whose_client_is_not_known_are_told_all_the_same() -> None:
    told = Told()
    LibraryLines(told, Arrivals()).take([f"I{PREFIX}s.cc:1] Handshake failed with error SSL_ERROR_SYSCALL"] * 2)
    assert told.failed == [("other", "")] * 2


def test_what_is_written_to_a_descriptor_becomes_lines_and_goes_its_own_way_again_after(tmp_path: Path) -> None:
    lines: list[str] = []
    with (tmp_path / "err").open("wb", buffering=0) as file:
        with taken_over(lines.extend, file.fileno()):
            os.write(file.fileno(), b"one\n\n t")
            os.write(file.fileno(), b"wo\nthree")
        os.write(file.fileno(), b"four")
    assert lines == ["one", " two", "three"]
    assert (tmp_path / "err").read_bytes() == b"four"


def test_who_writes_neither_waits_for_the_lines_to_be_told_nor_is_stopped_by_a_mistake_there(tmp_path: Path) -> None:
    def slow(lines: list[str]) -> None:
        time.sleep(0.05)
        raise RuntimeError("a mistake")

    with (tmp_path / "err").open("wb", buffering=0) as file, taken_over(slow, file.fileno()):
        lost = 0
        for _ in range(100):
            try:
                os.write(file.fileno(), bytes(65_535) + b"\n")  # it would stand still here
            except BlockingIOError:
                lost += 1
        assert lost > 0


def test_a_descriptor_that_is_closed_is_left_alone(tmp_path: Path) -> None:
    with (tmp_path / "err").open("wb") as file:
        closed = file.fileno()
    with taken_over(lambda lines: None, closed):
        pass
