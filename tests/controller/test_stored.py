"""A stored state: looked at, copied, brought back and forgotten, without a service."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from quedge.controller.journal import Durability, Journal
from quedge.controller.records import Entry
from quedge.controller.state import StateError
from quedge.controller.state_folder import StateFolder, journal_path
from quedge.controller.stored import back_up, check_folder, check_names, forget, restore, stored_cell
from tests.controller.reports import drawn_reports, fresh

UNDER = "scenario, policy, seed"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state of two base stations: five frames with a checkpoint after three, and two frames."""
    state = tmp_path / "state"
    state.mkdir()
    filled(state, "north", 5, kept_after=3)
    filled(state, "south", 2)
    return state


def filled(state: Path, name: str, frames: int, kept_after: int | None = None) -> None:
    controller, journal = fresh(), Journal(journal_path(state, name), name, UNDER)
    for t, report in enumerate(drawn_reports(frames)):
        journal.append(Entry(report, controller.serve(report)))
        if t + 1 == kept_after:
            journal.keep(controller.snapshot())
    journal.close()


def files(state: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in state.iterdir() if path.is_file()}


def test_a_stored_cell_is_told_as_it_is(folder: Path) -> None:
    before = files(folder)
    north, south = (stored_cell(folder, name) for name in ("north", "south"))
    assert (north.next_frame, north.checkpoint, north.acknowledged, north.may_lack_frames) == (5, 3, 4, False)
    assert [entry.report.frame for entry in north.entries] == [2, 3, 4]
    assert (south.next_frame, south.checkpoint, south.acknowledged) == (2, None, 1)
    assert len(north.incarnation) == 16
    assert north.size_bytes == sum(len(held) for name, held in before.items() if name.startswith("north"))
    assert files(folder) == before


def test_a_journal_under_another_name_is_refused(folder: Path) -> None:
    for path in list(folder.glob("north*")):
        path.rename(folder / path.name.replace("north", "west"))
    with pytest.raises(StateError, match="is not the journal of west"):
        stored_cell(folder, "west")


def test_a_backup_is_the_same_state_and_replaces_nothing(folder: Path, tmp_path: Path) -> None:
    before, kept = files(folder), tmp_path / "deep" / "kept"
    copies = back_up(folder, ["north"], kept)
    original = stored_cell(folder, "north")
    assert kept.stat().st_mode & 0o777 == 0o700
    assert [(copy.name, copy.next_frame, copy.incarnation) for copy in copies] == [("north", 5, original.incarnation)]
    assert sorted(files(kept)) == ["north.journal", "north.journal-last"]
    held = files(kept)
    with pytest.raises(StateError, match="north is there already; choose another folder"):
        back_up(folder, ["south", "north"], kept)
    assert (files(kept), files(folder)) == (held, before)


def test_a_cell_that_has_served_no_frame_is_copied_as_one(folder: Path, tmp_path: Path) -> None:
    Journal(journal_path(folder, "west"), "west", UNDER).close()
    (copy,) = back_up(folder, ["west"], tmp_path / "kept")
    assert (copy.next_frame, copy.acknowledged, copy.may_lack_frames, copy.entries) == (0, -1, False, [])


def test_what_is_brought_back_goes_on_under_another_incarnation(folder: Path, tmp_path: Path) -> None:
    back_up(folder, ["north", "south"], tmp_path / "kept")
    (found,) = restore(tmp_path / "kept", ["north"], tmp_path / "deep" / "new", force=False)
    original = stored_cell(folder, "north")
    assert found.incarnation not in ("", original.incarnation)
    assert [entry.answer.packed() for entry in found.entries] == [entry.answer.packed() for entry in original.entries]
    assert (tmp_path / "deep" / "new").stat().st_mode & 0o777 == 0o700
    controller, journal = fresh(), Journal(journal_path(tmp_path / "deep" / "new", "north"), "north", UNDER)
    journal.restore(controller)
    assert (controller.queues.next_frame, journal.lost_frames) == (5, 0)
    journal.close()


def test_a_cell_that_is_there_is_replaced_only_by_force_and_set_aside_then(folder: Path, tmp_path: Path) -> None:
    kept, before = tmp_path / "kept", files(folder)
    original = stored_cell(folder, "north")
    back_up(folder, ["north"], kept)
    with pytest.raises(StateError, match="north is there already; --force sets it aside"):
        restore(kept, ["north"], folder, force=False)
    assert {name: held for name, held in files(folder).items() if name != "lock"} == before
    (found,) = restore(kept, ["north"], folder, force=True)
    (aside,) = folder.glob("set-aside-*")
    assert stored_cell(aside, "north").incarnation == original.incarnation != found.incarnation
    assert stored_cell(folder, "south").next_frame == 2


def test_nothing_is_replaced_where_one_of_the_backups_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    back_up(folder, ["north", "south"], kept)
    (kept / "south.journal").write_bytes(b"not a database" * 100)
    with pytest.raises(StateError, match="south"):
        restore(kept, ["north", "south"], folder, force=True)
    assert list(folder.glob("set-aside-*")) == []


def test_a_forgotten_cell_is_gone_and_no_other_is(folder: Path) -> None:
    forget(folder, "north")
    assert {name for name in files(folder) if name != "lock"} == {"south.journal", "south.journal-last"}
    with pytest.raises(StateError, match="'north' is not there; there is south"):
        forget(folder, "north")


def test_a_folder_that_a_service_uses_is_left_alone(folder: Path, tmp_path: Path) -> None:
    back_up(folder, ["north"], tmp_path / "kept")
    with closing(StateFolder(folder, UNDER, Durability.PROCESS)):
        for change in (lambda: forget(folder, "north"), lambda: restore(tmp_path / "kept", ["north"], folder, True)):
            with pytest.raises(StateError, match="another service uses it"):
                change()
    assert stored_cell(folder, "north").next_frame == 5


def test_what_is_no_state_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    assert check_names(folder, []) == ["north", "south"]
    assert check_names(folder, ["south"]) == ["south"]
    for name in ("west", "../state/north", ""):
        with pytest.raises(StateError, match=f"'{name}' is not there; there is north, south"):
            check_names(folder, [name])
    (tmp_path / "empty").mkdir()
    with pytest.raises(StateError, match="there is no base station in it"):
        check_names(tmp_path / "empty", [])
    with pytest.raises(StateError, match="is no folder; it must be the --state of a service"):
        check_folder(tmp_path / "nowhere")
