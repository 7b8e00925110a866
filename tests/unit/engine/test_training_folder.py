"""One command trains in a folder, and what it keeps there is whole."""

import multiprocessing
from pathlib import Path

import pytest

from engine.errors import ConfigError, TransientError
from engine.training_folder import alone_in, kept_steps, write_whole

_fork = multiprocessing.get_context("fork")


def hold(folder: Path) -> None:
    with alone_in(folder):
        pass


def test_a_second_command_in_one_folder_is_told_so_and_the_next_one_is_let_in(tmp_path):
    folder = tmp_path / "training"
    with alone_in(folder), pytest.raises(TransientError, match="another command trains in"):
        hold(folder)
    hold(folder)
    assert folder.is_dir()


def test_a_process_that_is_killed_lets_go(tmp_path):
    holds = _fork.Event()

    def work() -> None:
        with alone_in(tmp_path):
            holds.set()
            _fork.Event().wait()

    process = _fork.Process(target=work)
    process.start()
    assert holds.wait(10)
    with pytest.raises(TransientError):
        hold(tmp_path)
    process.kill()
    process.join()
    hold(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file/training cannot be written"):
        hold(tmp_path / "file" / "training")


@pytest.mark.parametrize("failure", [OSError(28, "No space left"), RuntimeError("file write")])
def test_a_file_that_cannot_be_written_leaves_the_one_before(tmp_path, failure):
    path = tmp_path / "kept.pt"
    write_whole(path, lambda unfinished: unfinished.write_text("before"))

    def fail(unfinished: Path) -> None:
        unfinished.write_text("half")
        raise failure

    with pytest.raises(TransientError, match=r"kept\.pt cannot be written.*free disk space"):
        write_whole(path, fail)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_steps_are_found_out_once(tmp_path):
    asked = iter([7, 9])
    path = tmp_path / "training" / "steps"
    assert kept_steps(path, lambda: next(asked)) == 7
    assert kept_steps(path, lambda: next(asked)) == 7


def test_steps_are_found_out_by_one_command_alone(tmp_path):
    with alone_in(tmp_path), pytest.raises(TransientError, match="another command"):
        kept_steps(tmp_path / "steps", lambda: 7)
    assert kept_steps(tmp_path / "steps", lambda: 9) == 9
