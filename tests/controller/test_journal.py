"""The journal: what was appended comes back bit for bit, and whatever is foreign or damaged is refused."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.controller import journal
from quedge.controller.controller import Controller
from quedge.controller.journal import Durability, Entry, Journal, LastAcknowledged, StateError
from quedge.policy.policy import Learner, Policy
from quedge.service.cells import CellRegistry, StateFolder
from tests.controller.reports import EXACT, LEARNING, as_killed, drawn_reports, fresh, queues_as_bytes

UNDER = "scenario, policy, seed"
durabilities = pytest.mark.parametrize("durability", list(Durability))


def filled(path: Path, frames: int, kept_after: int | None = None, policy: Policy | Learner = EXACT) -> Controller:
    """A journal of some frames, closed, with a checkpoint in between; the controller that served them."""
    controller, journal = fresh(policy), Journal(path, "north", UNDER)
    for t, report in enumerate(drawn_reports(frames)):
        journal.append(Entry(report, controller.serve(report)))
        if t + 1 == kept_after:
            journal.keep(controller.snapshot())
    journal.close()
    return controller


def restored(path: Path, policy: Policy | Learner = EXACT) -> tuple[Controller, Entry | None]:
    journal = Journal(path, "north", UNDER)
    try:
        controller = fresh(policy)
        return controller, journal.restore(controller)
    finally:
        journal.close()


@pytest.mark.parametrize("kept_after", [None, 1, 20, 39, 40])
@pytest.mark.parametrize("policy", [EXACT, LEARNING], ids=["exact", "learning"])
def test_a_fresh_controller_is_brought_to_where_the_last_frame_left_the_other(
    tmp_path: Path, policy: Policy | Learner, kept_after: int | None
) -> None:
    path = tmp_path / "north.journal"
    first = filled(path, 40, kept_after, policy)
    second, last = restored(path, policy)
    assert second.snapshot().packed() == first.snapshot().packed()
    assert last is not None
    assert last.report.packed() == drawn_reports(40)[-1].packed()
    for report in drawn_reports(60)[40:]:
        assert first.serve(report).packed() == second.serve(report).packed()


def test_a_journal_that_begins_restores_nothing(tmp_path: Path) -> None:
    controller, last = restored(tmp_path / "north.journal")
    assert last is None
    assert controller.queues.next_frame == 0


@durabilities
def test_what_was_appended_survives_without_a_close(tmp_path: Path, durability: Durability) -> None:
    journal, controller = Journal(tmp_path / "north.journal", "north", UNDER, durability), fresh()
    for t, report in enumerate(drawn_reports(30)):
        journal.append(Entry(report, controller.serve(report)))
        again, last = restored(as_killed(tmp_path / "north.journal", tmp_path / f"{t}.journal"))
        assert last is not None
        assert last.report.frame == t
        assert queues_as_bytes(again) == queues_as_bytes(controller)
    journal.close()


def test_a_checkpoint_drops_all_frames_before_it_but_the_last(tmp_path: Path) -> None:
    path = tmp_path / "north.journal"
    filled(path, 40, kept_after=30)
    frames = [frame for (frame,) in sqlite3.connect(path).execute("SELECT frame FROM frame ORDER BY frame")]
    assert frames == list(range(29, 40))


def test_a_frame_cannot_be_appended_twice(tmp_path: Path) -> None:
    journal, controller, report = Journal(tmp_path / "j", "north", UNDER), fresh(), drawn_reports(1)[0]
    entry = Entry(report, controller.serve(report))
    journal.append(entry)
    with pytest.raises(OSError, match="UNIQUE"):
        journal.append(entry)
    journal.close()


def test_a_file_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    other = tmp_path / "other.journal"
    database = sqlite3.connect(other)
    database.execute("CREATE TABLE cell (name)")
    database.close()
    (tmp_path / "text.journal").write_text("minutes of the last meeting\n" * 100)
    (tmp_path / "empty.journal").write_bytes(b"")
    for path in (other, tmp_path / "text.journal", tmp_path / "empty.journal"):
        before = path.read_bytes()
        with pytest.raises(StateError, match=r"is a database of something else|is no journal of quedge"):
            Journal(path, "north", UNDER)
        assert path.read_bytes() == before


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="unable to open"):
        Journal(tmp_path, "north", UNDER)


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "north.journal"
    filled(path, 3)
    sqlite3.connect(path).execute("PRAGMA user_version = 2").connection.close()
    with pytest.raises(StateError, match="is of version 2, and this quedge reads version 1"):
        Journal(path, "north", UNDER)


def test_what_was_served_under_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "north.journal"
    filled(path, 3)
    with pytest.raises(StateError, match="north was served under another scenario, policy, seed or version"):
        Journal(path, "north", "another scenario")
    with pytest.raises(StateError, match="is not the journal of south"):
        Journal(path, "south", UNDER)


def test_a_controller_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "north.journal"
    filled(path, 20)
    with pytest.raises(StateError, match="is answered otherwise than it was"):
        restored(path, LEARNING)
    filled(tmp_path / "kept.journal", 20, kept_after=20)
    with pytest.raises(StateError, match=r"checkpoint of north cannot be used: .*one of the two learns"):
        restored(tmp_path / "kept.journal", LEARNING)


@pytest.mark.parametrize("statement", ["DELETE FROM frame WHERE frame = 10", "DELETE FROM frame WHERE frame < 5"])
def test_a_gap_between_frames_is_refused(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "north.journal"
    filled(path, 20)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute(statement)
    database.close()
    with pytest.raises(StateError, match=r"frame \d+ of north"):
        restored(path)


def test_a_checkpoint_without_its_last_frame_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "north.journal"
    filled(path, 20, kept_after=20)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("DELETE FROM frame")
    database.close()
    with pytest.raises(StateError, match="frame 19 of north is damaged or missing"):
        restored(path)


def test_a_write_ahead_log_whose_database_is_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "north.journal-wal").write_bytes(b"frames")
    with pytest.raises(StateError, match=r"is gone, but .*-wal is there"):
        Journal(tmp_path / "north.journal", "north", UNDER)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, Path]:
    """The files of a journal whose process was killed, where its controller stood, and a folder for damaged copies."""
    folder = tmp_path_factory.mktemp("killed")
    journal, controller = Journal(folder / "north.journal", "north", UNDER), fresh()
    for report in drawn_reports(12):
        journal.append(Entry(report, controller.serve(report)))
    copy = as_killed(folder / "north.journal", folder / "killed.journal")
    journal.close()
    return copy, queues_as_bytes(controller), folder


@pytest.mark.parametrize("file", ["", "-wal", "-last"])
@given(data=st.data())
def test_a_damaged_byte_after_a_kill_is_refused_or_was_unused(
    killed: tuple[Path, bytes, Path], file: str, data: st.DataObject
) -> None:
    files, standing, folder = killed
    damaged = as_killed(files, folder / "damaged.journal")
    path = damaged.with_name(damaged.name + file)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    assert_refused_or_exact(bytes(content), standing, path)


def test_a_database_without_its_write_ahead_log_is_refused(killed: tuple[Path, bytes, Path]) -> None:
    alone = as_killed(killed[0], killed[2] / "alone.journal")
    alone.with_name("alone.journal-wal").unlink()
    with pytest.raises(StateError, match="frame 11 of north is damaged or missing"):
        restored(alone)


def test_a_journal_that_is_gone_is_not_silently_begun_anew(tmp_path: Path) -> None:
    filled(tmp_path / "north.journal", 5)
    (tmp_path / "north.journal").unlink()
    with pytest.raises(StateError, match="frame 4 of north is damaged or missing"):
        restored(tmp_path / "north.journal")


@pytest.mark.parametrize(("durability", "known"), [(Durability.PROCESS, -1), (Durability.POWER, 7)])
def test_after_a_loss_of_power_only_frames_that_were_on_the_disk_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability, known: int
) -> None:
    survives_power = durability is Durability.POWER
    before = LastAcknowledged(tmp_path / "w", survives_power)
    before.write(7)
    before.close()
    again = LastAcknowledged(tmp_path / "w", survives_power)
    assert again.frame == 7
    again.close()
    (tmp_path / "boot").write_text("another boot")
    monkeypatch.setattr(journal, "_BOOT", tmp_path / "boot")
    after = LastAcknowledged(tmp_path / "w", survives_power)
    assert after.frame == known
    after.close()


def test_what_a_crash_left_of_a_journal_in_the_making_is_in_nobody_s_way(tmp_path: Path) -> None:
    (tmp_path / "north.journal-new").write_bytes(b"half a page")
    filled(tmp_path / "north.journal", 3)
    assert restored(tmp_path / "north.journal")[0].queues.next_frame == 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, Path]:
    """A journal's bytes, where its controller stands, and a path for damaged copies."""
    folder = tmp_path_factory.mktemp("journal")
    controller = filled(folder / "north.journal", 12, kept_after=6)
    return (folder / "north.journal").read_bytes(), queues_as_bytes(controller), folder / "damaged.journal"


def assert_refused_or_exact(data: bytes, standing: bytes, path: Path) -> None:
    path.write_bytes(data)
    try:
        controller, _ = restored(path.with_suffix(".journal"))
    except StateError:
        return
    assert queues_as_bytes(controller) == standing


@given(st.data())
def test_a_damaged_byte_is_refused_or_was_unused(whole: tuple[bytes, bytes, Path], data: st.DataObject) -> None:
    intact, standing, path = whole
    damaged = bytearray(intact)
    header = st.integers(0, 200)
    damaged[data.draw(header | st.integers(0, len(intact) - 1))] ^= data.draw(st.integers(1, 255))
    assert_refused_or_exact(bytes(damaged), standing, path)


@given(st.data())
def test_a_truncated_file_is_refused(whole: tuple[bytes, bytes, Path], data: st.DataObject) -> None:
    intact, _, path = whole
    path.write_bytes(intact[: data.draw(st.integers(0, len(intact) - 1))])
    with pytest.raises(StateError):
        restored(path)


@given(st.data())
def test_a_page_of_zeros_is_refused_or_was_unused(whole: tuple[bytes, bytes, Path], data: st.DataObject) -> None:
    intact, standing, path = whole
    page = 4096 * data.draw(st.integers(0, len(intact) // 4096 - 1))
    assert_refused_or_exact(intact[:page] + bytes(4096) + intact[page + 4096 :], standing, path)


def test_a_full_disk_keeps_what_was_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "north.journal"
    journal, controller = Journal(path, "north", UNDER), fresh()
    reports = drawn_reports(200)
    (pages,) = journal._database.execute("PRAGMA page_count").fetchone()
    journal._database.execute(f"PRAGMA max_page_count = {pages + 8}")
    written = 0
    with contextlib.suppress(OSError):
        for report in reports:
            journal.append(Entry(report, controller.serve(report)))
            written += 1
    assert 0 < written < 200
    with pytest.raises(OSError, match="full"):
        journal.append(Entry(reports[written], controller.serve(reports[written + 1])))
    with pytest.raises(OSError, match="full"):
        journal.keep(controller.snapshot()._replace(random_state={"padding": "0" * 10**6}))
    journal._database.execute("PRAGMA max_page_count = 100000")
    again = fresh()
    last = journal.restore(again)
    assert last is not None
    assert last.report.frame == written - 1
    report = reports[written]
    journal.append(Entry(report, again.serve(report)))
    journal.close()
    assert restored(path)[0].queues.next_frame == written + 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OSError, match=r"denied|unable to open|readonly"):
            Journal(tmp_path / "north.journal", "north", UNDER)
        with pytest.raises(OSError, match="denied"):
            StateFolder(tmp_path, UNDER, Durability.PROCESS)
    finally:
        tmp_path.chmod(0o700)


def test_a_file_in_the_folder_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("notes")
    with pytest.raises(OSError, match="exists"):
        StateFolder(tmp_path / "state", UNDER, Durability.PROCESS)


def test_two_services_do_not_use_one_folder_at_a_time(tmp_path: Path) -> None:
    first = StateFolder(tmp_path, UNDER, Durability.PROCESS)
    with pytest.raises(StateError, match="another service uses it"):
        StateFolder(tmp_path, UNDER, Durability.PROCESS)
    first.close()
    StateFolder(tmp_path, UNDER, Durability.PROCESS).close()


def test_one_file_is_not_open_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "north.journal", "north", UNDER)
    with pytest.raises(OSError, match="locked"):
        Journal(tmp_path / "north.journal", "north", UNDER)
    journal.close()


def test_a_damaged_journal_leaves_its_folder_free_and_other_cells_as_they_were(tmp_path: Path) -> None:
    cells = CellRegistry(fresh, StateFolder(tmp_path, UNDER, Durability.PROCESS))
    for name in ("east", "north"):
        cells.engine(name)
    cells.close()
    (tmp_path / "north.journal").write_bytes(b"nothing of ours" * 999)
    for _ in range(2):
        with pytest.raises(StateError, match=r"north.journal: is no journal"):
            CellRegistry(fresh, StateFolder(tmp_path, UNDER, Durability.PROCESS))
    (tmp_path / "north.journal").unlink()
    cells = CellRegistry(fresh, StateFolder(tmp_path, UNDER, Durability.PROCESS))
    assert cells.names() == ["east"]
    cells.close()
