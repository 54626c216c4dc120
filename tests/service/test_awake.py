"""Processors are kept awake by Linux's latency device as long as it is held open."""

from __future__ import annotations

from pathlib import Path

import pytest

from quedge.service.settings import cpu_latency_lock


def test_it_asks_for_no_latency_and_holds_the_device_open(tmp_path: Path) -> None:
    device = tmp_path / "latency"
    device.write_bytes(b"")
    with cpu_latency_lock(device) as held:
        assert device.read_bytes() == bytes(4)
        assert not held.closed
    assert held.closed


def test_a_device_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    device = tmp_path / "latency"
    with pytest.raises(ValueError, match=r"--keep-awake: .*latency: No such file or directory; it must be there"):
        cpu_latency_lock(device)
    assert not device.exists()


def test_a_device_that_refuses_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--keep-awake: .*: Is a directory"):
        cpu_latency_lock(tmp_path)
