"""The journal: what was appended comes back bit for bit, and whatever is foreign or damaged is refused."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quedge.controller import acknowledged
from quedge.controller import journal as journal_module
from quedge.controller.acknowledged import read_acknowledged
from quedge.controller.controller import Controller
from quedge.controller.journal import Durability, Journal
from quedge.controller.records import Entry
from quedge.controller.state import StateError
from quedge.controller.state_folder import StateFolder
from quedge.policy.policy import Learner, Policy
from quedge.service.cells import CellRegistry
from tests.controller.reports import EXACT, LEARNING, as_killed, drawn_reports, fresh, queues_as_bytes, served

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


def test_the_names_of_its_files_are_on_the_disk_before_the_first_frame_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a loss of power the absence of the write-ahead log is a sign only if its name had survived."""
    log, synced = tmp_path / "north.journal-wal", list[bool]()
    monkeypatch.setattr(journal_module, "sync_folder", lambda folder: synced.append(log.exists()))
    journal, controller = Journal(tmp_path / "north.journal", "north", UNDER), fresh()
    assert synced == [False]  # of the database
    for report in drawn_reports(2):
        journal.append(Entry(report, controller.serve(report)))
        assert synced == [False, True]
    journal.close()


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
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 3")
    with pytest.raises(StateError, match="is of version 3; this quedge reads versions 1 and 2"):
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
    with pytest.raises(StateError, match=r"alone.journal-wal, which has its last frames, is missing; .*--new"):
        restored(alone)


def test_a_journal_that_is_gone_is_not_silently_begun_anew(tmp_path: Path) -> None:
    filled(tmp_path / "north.journal", 5)
    (tmp_path / "north.journal").unlink()
    with pytest.raises(StateError, match=r"is gone, but north.journal-last tells of 5 frames; .*--new"):
        restored(tmp_path / "north.journal")


@pytest.mark.parametrize("closed", [True, False])
def test_a_database_alone_is_refused_and_left_as_it_is(tmp_path: Path, closed: bool) -> None:
    journal, controller = Journal(tmp_path / "north.journal", "north", UNDER), fresh()
    for report in drawn_reports(5):
        journal.append(Entry(report, controller.serve(report)))
    if closed:
        journal.close()
    alone = tmp_path / "elsewhere" / "north.journal"
    alone.parent.mkdir()
    alone.write_bytes((tmp_path / "north.journal").read_bytes())
    with pytest.raises(StateError, match=r"north.journal-last, which belongs to it, is missing; .*--new"):
        restored(alone)
    if not closed:
        journal.close()


def test_a_file_of_another_state_of_the_same_name_is_refused(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        filled(tmp_path / folder / "north.journal", 5)
    (tmp_path / "one/north.journal-last").replace(tmp_path / "two/north.journal-last")
    with pytest.raises(StateError, match=r"north.journal-last belongs to another state"):
        restored(tmp_path / "two/north.journal")


def test_what_a_crash_left_before_the_first_frame_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "north.journal"
    Journal(path, "north", UNDER).close()
    path.unlink()
    filled(path, 3)
    assert restored(path)[0].queues.next_frame == 3


def incarnation(path: Path) -> str:
    journal = Journal(path, "north", UNDER)
    journal.close()
    return journal.incarnation


def test_a_state_keeps_its_incarnation_and_another_one_has_another(tmp_path: Path) -> None:
    for name in ("a", "b"):
        filled(tmp_path / name, 3)
    first, other = incarnation(tmp_path / "a"), incarnation(tmp_path / "b")
    filled(tmp_path / "c", 3)
    assert first == incarnation(tmp_path / "a") != other
    assert len(first) == 16


@pytest.mark.parametrize("ending", ["", "-wal", "-last"])
@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_removed_or_replaced_while_in_use_is_noticed(
    tmp_path: Path, ending: str, replaced: bool
) -> None:
    path, controller, reports = tmp_path / "north.journal", fresh(), drawn_reports(4)
    journal = Journal(path, "north", UNDER)
    journal.append(Entry(reports[0], controller.serve(reports[0])))
    journal.check_files()
    file, moved = path.with_name(path.name + ending), tmp_path / "moved"
    file.rename(moved)
    if replaced:
        file.write_bytes(moved.read_bytes())
    entry = Entry(reports[1], controller.serve(reports[1]))
    for attempt in (journal.check_files, lambda: journal.append(entry), lambda: journal.keep(controller.snapshot())):
        with pytest.raises(OSError, match="was replaced" if replaced else "was removed"):
            attempt()
    moved.replace(file)
    journal.append(entry)
    journal.close()
    assert restored(path)[0].queues.next_frame == 2


def test_a_first_frame_that_is_told_as_not_kept_is_not_kept(tmp_path: Path) -> None:
    path, report = tmp_path / "north.journal", drawn_reports(1)[0]
    journal, entry = Journal(path, "north", UNDER), Entry(report, fresh(EXACT).serve(report))
    journal.keep(fresh(EXACT).snapshot())
    log = tmp_path / "north.journal-wal"
    log.rename(tmp_path / "away")  # SQLite goes on writing to it
    with pytest.raises(OSError, match="No such file"):
        journal.append(entry)
    assert journal.last() is None
    (tmp_path / "away").rename(log)
    journal.append(entry)
    assert journal.last() is not None
    journal.close()


def test_its_files_are_its_owner_s_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    cells = CellRegistry(fresh, StateFolder(folder, UNDER, Durability.PROCESS))
    cells.engine("north").checkpoint(lambda kept: None)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    cells.close()


VERSION_1 = Path(__file__).parent / "state-version-1.zip"


@pytest.mark.parametrize("name", ["closed", "killed"])
def test_a_state_of_version_1_goes_on_and_has_an_incarnation_from_then_on(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(VERSION_1) as files:
        files.extractall(tmp_path)
    reports, path = [*drawn_reports(5), *drawn_reports(8, seed=2)[5:]], tmp_path / f"{name}.journal"
    expected = fresh()
    served(expected, reports[:5])
    seen = []
    for due in (5, 6, 7):
        journal, controller = Journal(path, name, UNDER), fresh()
        last = journal.restore(controller)
        assert last is not None
        assert last.report.packed() == reports[due - 1].packed()
        assert queues_as_bytes(controller) == queues_as_bytes(expected)
        answer = controller.serve(reports[due])
        assert answer.packed() == expected.serve(reports[due]).packed()
        journal.append(Entry(reports[due], answer))
        journal.close()
        seen.append(journal.incarnation)
    assert len({*seen}) == 1
    assert len(seen[0]) == 16


def test_an_upgrade_that_is_cut_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(VERSION_1) as files:
        files.extractall(tmp_path)
    path = tmp_path / "killed.journal"
    with monkeypatch.context() as cut:
        cut.setattr(journal_module, "_transaction", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Journal(path, "killed", UNDER)
    begun = read_acknowledged(path.with_name("killed.journal-last"))
    journal = Journal(path, "killed", UNDER)
    assert begun is not None
    assert journal.incarnation == begun.incarnation != ""
    journal.restore(fresh())
    journal.close()


def interrupted(database: sqlite3.Connection) -> None:
    raise KeyboardInterrupt


@durabilities
def test_only_a_loss_of_power_may_take_frames_and_the_state_has_another_incarnation_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability
) -> None:
    path, controller, reports = tmp_path / "north.journal", fresh(), drawn_reports(8)
    journal = Journal(path, "north", UNDER, durability)
    for report in reports[:6]:
        journal.append(Entry(report, controller.serve(report)))
    log = path.with_name("north.journal-wal").read_bytes()
    for report in reports[6:]:
        journal.append(Entry(report, controller.serve(report)))
    after = as_killed(path, tmp_path / "after.journal")
    journal.close()
    after.with_name("after.journal-wal").write_bytes(log)
    with pytest.raises(StateError, match="frame 7 of north is damaged or missing"):
        restored(after)
    (tmp_path / "boot").write_text("another boot")
    monkeypatch.setattr(acknowledged, "_BOOT", tmp_path / "boot")
    if durability is Durability.POWER:
        with pytest.raises(StateError, match="frame 7 of north is damaged or missing"):
            restored(after)
        return
    found, begins = Journal(after, "north", UNDER), fresh()
    found.restore(begins)
    assert (begins.queues.next_frame, found.lost_frames) == (6, 2)
    assert found.incarnation != journal.incarnation
    found.close()
    again = Journal(after, "north", UNDER)
    again.restore(fresh())
    assert (again.incarnation, again.lost_frames) == (found.incarnation, 0)
    again.close()


def test_what_a_crash_left_of_a_journal_in_the_making_is_in_nobody_s_way(tmp_path: Path) -> None:
    (tmp_path / "north.journal-new").write_bytes(b"half a page")
    filled(tmp_path / "north.journal", 3)
    assert restored(tmp_path / "north.journal")[0].queues.next_frame == 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, Path]:
    """A journal's bytes, where its controller stands, and a path for damaged copies."""
    folder = tmp_path_factory.mktemp("journal")
    controller = filled(folder / "north.journal", 12, kept_after=6)
    last = folder / "north.journal-last"
    last.with_name("damaged.journal-last").write_bytes(last.read_bytes())
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
    for file in tmp_path.glob("north.journal*"):
        file.unlink()
    cells = CellRegistry(fresh, StateFolder(tmp_path, UNDER, Durability.PROCESS))
    assert cells.names() == ["east"]
    cells.close()
