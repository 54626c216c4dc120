from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from quedge.experiments.engine.store import Store, metadata_of
from quedge.experiments.job import Findings, Series
from quedge.files.atomic import remove_leftovers
from tests.experiments.jobs import job

VERSIONS = {"numpy": "1.2.3"}
FOUND: Findings = {
    "queue": 8.5,
    "nothing": float("nan"),
    "course": Series(np.array([10.0, 20.0]), np.array([0.1, 1.0 / 3.0])),
    "short": Series(np.array([4.0]), np.array([2.0])),
}


def test_findings_come_back_bit_for_bit(tmp_path: Path) -> None:
    store = Store(tmp_path / "cells")
    assert store.load(job()) is None
    store.save(job(), FOUND, 1.5, VERSIONS)
    again = store.load(job())
    assert again is not None
    assert again.keys() == FOUND.keys()
    assert again["queue"] == 8.5
    assert np.isnan(again["nothing"])
    for name in ("course", "short"):
        for ours, theirs in zip(again[name], FOUND[name], strict=True):  # type: ignore[call-overload]
            assert np.array_equal(ours, theirs)
    assert store.load(job(seed=1)) is None


def test_a_file_tells_what_determined_it(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(job(seed=3), FOUND, 1.5, VERSIONS)
    about = metadata_of(store.path(job(seed=3)))
    assert about["determined_by"]["seed"] == 3
    assert about["elapsed_s"] == 1.5
    assert about["versions"] == VERSIONS


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.path(job()).mkdir()
    with pytest.raises(OSError, match="directory"):
        store.load(job())


def test_a_file_is_read_by_anything_that_reads_parquet(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    store = Store(tmp_path)
    store.save(job(), FOUND, 0.0, VERSIONS)
    table = pq.read_table(store.path(job()))
    assert table.column_names == ["measure", "at", "value"]
    assert table.num_rows == 5


@pytest.mark.parametrize("content", [b"", b"not Parquet at all", None])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    store = Store(tmp_path)
    store.save(job(), FOUND, 0.0, VERSIONS)
    path = store.path(job())
    path.write_bytes(path.read_bytes()[:-40] if content is None else content)
    with pytest.raises(ValueError, match=rf"{path.name}: is damaged"):
        store.load(job())


def test_a_file_of_another_cell_is_no_answer(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(job(seed=1), FOUND, 0.0, VERSIONS)
    store.path(job(seed=1)).rename(store.path(job()))
    with pytest.raises(ValueError, match="is damaged: it holds another cell"):
        store.load(job())


def test_no_changed_byte_changes_what_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(job(), FOUND, 0.0, VERSIONS)
    path = store.path(job())
    content = path.read_bytes()
    for place in range(0, len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            found = store.load(job())
        except ValueError:
            continue
        assert str(found) == str(FOUND), place


def test_half_written_files_of_long_ago_are_removed_and_no_others(tmp_path: Path) -> None:
    Store(tmp_path).save(job(), FOUND, 0.0, VERSIONS)
    old, new = tmp_path / ".a.parquet.1.part", tmp_path / ".b.parquet.2.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    remove_leftovers(tmp_path)
    remove_leftovers(tmp_path / "nowhere")
    assert {path.name for path in tmp_path.iterdir()} == {new.name, Store(tmp_path).path(job()).name}
