from __future__ import annotations

from pathlib import Path

import pytest

from quedge.files.atomic import check_folder_takes_files, whole_file


def test_a_file_appears_only_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "answer.txt"
    with whole_file(path) as file:
        file.write(b"42")
        assert not path.exists()
    assert path.read_bytes() == b"42"


@pytest.mark.parametrize("trouble", [ValueError, KeyboardInterrupt])
def test_trouble_leaves_what_stood_there_and_nothing_else(tmp_path: Path, trouble: type[BaseException]) -> None:
    path = tmp_path / "answer.txt"
    path.write_bytes(b"before")

    def write_half() -> None:
        with whole_file(path) as file:
            file.write(b"half")
            raise trouble

    with pytest.raises(trouble):
        write_half()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "none" / "answer.txt"
    with pytest.raises(FileNotFoundError) as failure, whole_file(path):
        pass
    assert str(failure.value.filename) == str(path)


def test_trying_a_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    check_folder_takes_files(tmp_path / "a" / "b")
    check_folder_takes_files(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file: is a file; it must be a folder"):
        check_folder_takes_files(tmp_path / "file" / "a")
