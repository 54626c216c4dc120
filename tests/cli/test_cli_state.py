"""`quedge state`: a state is looked at, copied while a service runs, brought back, exported and forgotten."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grpc")

import quedge
from quedge.service import quedge_pb2 as pb
from tests.cli.in_process import main_in
from tests.cli.test_cli_serve import answers
from tests.cli.test_cli_serve_state import Serving, serving


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Serving]]:
    """A service of two base stations, and its folder's parent."""
    folder = tmp_path_factory.mktemp("live")
    with serving(folder, "--state", "state") as service:
        answers(service.port, range(10))
        answers(service.port, range(4), "south")
        yield folder, service


@pytest.fixture
def stopped(live: tuple[Path, Serving], tmp_path: Path) -> Path:
    """A backup of its state, beside nothing else."""
    assert main_in(live[0], "state", "backup", "state", str(tmp_path / "state")).returncode == 0
    return tmp_path


def stored(folder: Path, state: str = "state") -> dict[str, Any]:
    """What is stored of each cell; entries of cells that cannot be used have an error."""
    return json.loads(main_in(folder, "state", "inspect", state, "--json").stdout)  # type: ignore[no-any-return]


def due(live: tuple[Path, Serving]) -> int:
    """The frame of the north that is due."""
    with quedge.Client(f"127.0.0.1:{live[1].port}", "north") as client:
        return client.next_frame()


def test_a_live_state_is_inspected_and_verified_while_frames_go_on(live: tuple[Path, Serving]) -> None:
    folder, service = live
    for _ in range(3):
        before = due(live)
        found = stored(folder)
        assert found["north"]["next_frame"] == before
        assert found["north"]["incarnation"] in service.health()[1]
        assert found["south"]["next_frame"] == 4
        assert service.outcome(before) == pb.SERVED
    done = main_in(folder, "state", "verify", "state")
    assert done.stdout.splitlines() == [f"north: complete, {due(live)} frames", "south: complete, 4 frames"]
    assert f"north: frame {due(live)} is due, checkpoint none" in main_in(folder, "state", "inspect", "state").stdout
    assert service.health()[0] == 200


def test_a_live_backup_is_a_state_folder_that_goes_on(live: tuple[Path, Serving], tmp_path: Path) -> None:
    folder, service = live
    done = main_in(folder, "state", "backup", "state", str(tmp_path / "kept"), "north")
    assert re.fullmatch(rf"north: frame {due(live)} is due, incarnation \w{{16}}, copied to .*kept\n", done.stdout)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["north.journal", "north.journal-last"]
    assert stored(tmp_path, "kept")["north"]["incarnation"] == stored(folder)["north"]["incarnation"]
    backed_up = due(live)
    assert service.outcome(backed_up) == pb.SERVED  # more than the backup has
    with serving(tmp_path, "--state", "kept") as copy:
        assert copy.outcome(backed_up + 1) == pb.FUTURE_FRAME
        assert copy.outcome(backed_up) == pb.SERVED


def test_a_backup_is_restored_under_another_incarnation(stopped: Path) -> None:
    done = main_in(stopped, "state", "restore", "state", "elsewhere", "north")
    assert done.returncode == 0
    before, after = stored(stopped)["north"], stored(stopped, "elsewhere")["north"]
    assert after["next_frame"] == before["next_frame"]
    assert after["incarnation"] != before["incarnation"]
    with serving(stopped, "--state", "elsewhere") as service:
        answer = answers(service.port, range(before["next_frame"], before["next_frame"] + 1))[0]
        assert (answer.outcome, answer.incarnation) == (pb.SERVED, after["incarnation"])


def test_a_restore_replaces_nothing_unless_it_is_forced(stopped: Path) -> None:
    shutil.copytree(stopped / "state", stopped / "backup")
    before = stored(stopped)
    refused = main_in(stopped, "state", "restore", "backup", "state")
    assert refused.returncode == 2
    assert "north is there already; --force sets it aside" in refused.stderr
    assert stored(stopped) == before
    assert main_in(stopped, "state", "restore", "backup", "state", "north", "--force").returncode == 0
    (aside,) = (stopped / "state").glob("set-aside-*")
    assert stored(stopped, str(aside)) == {"north": before["north"]}
    assert stored(stopped)["south"] == before["south"]
    assert stored(stopped)["north"]["incarnation"] != before["north"]["incarnation"]


def test_frames_are_exported_as_they_were_reported_and_answered(live: tuple[Path, Serving], tmp_path: Path) -> None:
    folder, _ = live
    assert main_in(folder, "state", "export", "state", "south", str(tmp_path / "f.jsonl")).returncode == 0
    text = (tmp_path / "f.jsonl").read_text()
    assert main_in(folder, "state", "export", "state", "south").stdout == text
    frames = [json.loads(line) for line in text.splitlines()]
    assert [frame["frame"] for frame in frames] == [0, 1, 2, 3]
    last = frames[-1]
    assert last["devices"] == [0, 1, 2]
    assert last["measured_data_queue_mbit"] == [None] * 3
    assert last["served_by"] == "policy"
    assert last["objective"] <= last["upper_bound"]
    assert {len(value) for value in last.values() if isinstance(value, list)} == {3}


def test_a_cell_is_forgotten_and_begins_with_its_next_report(stopped: Path) -> None:
    assert main_in(stopped, "state", "forget", "state", "north").stdout == "north: forgotten\n"
    assert list(stored(stopped)) == ["south"]
    with serving(stopped, "--state", "state") as service:
        assert (service.outcome(4, "south"), service.outcome(0)) == (pb.SERVED, pb.SERVED)


@pytest.mark.parametrize("command", [("forget", "state", "north"), ("restore", "copy", "state", "--force")])
def test_what_changes_a_state_is_refused_while_a_service_runs(
    live: tuple[Path, Serving], command: tuple[str, ...]
) -> None:
    folder, service = live
    if not (folder / "copy").exists():
        main_in(folder, "state", "backup", "state", "copy")
    done = main_in(folder, "state", *command)
    assert done.returncode == 2
    assert "another service uses it" in done.stderr
    assert service.outcome(due(live)) == pb.SERVED


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("hurt", "complaint"),
    [
        (lambda state: (state / "north.journal-last").unlink(), "north.journal-last, which belongs to it, is missing"),
        (lambda state: damage(state / "north.journal-last"), "north.journal-last: is damaged"),
        (lambda state: (state / "north.journal").unlink(), "north.journal: is missing"),
        (lambda state: (state / "north.journal").write_text("notes" * 999), "is no journal of quedge"),
        (lambda state: shutil.copy(state / "south.journal", state / "north.journal"), "is not the journal of north"),
        (
            lambda state: shutil.copy(state / "south.journal-last", state / "north.journal-last"),
            "north.journal-last belongs to another state",
        ),
    ],
)
def test_what_is_wrong_with_a_state_is_told_and_it_is_no_backup(stopped: Path, hurt: Any, complaint: str) -> None:
    hurt(stopped / "state")
    done = main_in(stopped, "state", "verify", "state")
    assert done.returncode == 1
    assert complaint in done.stdout.splitlines()[0]
    assert done.stdout.splitlines()[1] == "south: complete, 4 frames"
    assert complaint in stored(stopped)["north"]["error"]
    for command in (("backup", "state", "other"), ("restore", "state", "other"), ("export", "state", "north")):
        refused = main_in(stopped, "state", *command)
        assert refused.returncode == 2
        assert complaint in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    assert not list(stopped.glob("other/north*"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("inspect", "nowhere"), "nowhere: is no folder; it must be the --state of a service, or a backup of one"),
        (("inspect", "."), "there is no base station in it"),
        (("verify", "state", "west"), "'west' is not there; there is north, south"),
        (("forget", "state", "../north"), "'../north' is not there; there is north, south"),
        (("forget", "state"), "Missing argument 'NAME'"),
        (("export", "state", "west"), "'west' is not there"),
        (("export", "state", "north", "state"), "FILE: state: is a folder; it must be a file name"),
        (("backup", "state", "state"), "state: is the same folder; it must be another one"),
        (("backup", "state", "./state/../state"), "is the same folder; it must be another one"),
        (("restore", "state", "state"), "state: is the same folder; it must be another one"),
        (("restore", "nowhere", "state"), "nowhere: is no folder"),
        (("backup", "state", ""), "'' is not allowed; it must be a name"),
    ],
)
def test_bad_use_is_refused_on_one_line(stopped: Path, arguments: tuple[str, ...], complaint: str) -> None:
    done = main_in(stopped, "state", *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_backup_overwrites_nothing(stopped: Path) -> None:
    assert main_in(stopped, "state", "backup", "state", "kept").returncode == 0
    again = main_in(stopped, "state", "backup", "state", "kept", "north")
    assert again.returncode == 2
    assert "kept: north is there already; choose another folder" in again.stderr
