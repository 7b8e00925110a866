"""The log has each step once, and says what it needs for TensorBoard."""

import sys

import pytest

from engine.errors import ConfigError
from models.training.logs import LossLog, read_losses


def test_a_log_that_goes_on_has_each_step_once(tmp_path):
    path = tmp_path / "run" / "losses.jsonl"
    first = LossLog(path, step=0)
    for step in range(5):
        first.write(step, {"loss": 10.0 - step})
    first.close()
    second = LossLog(path, step=3)
    second.write(3, {"loss": 1.0})
    second.close()

    assert [line["step"] for line in read_losses(path)] == [0, 1, 2, 3]
    assert read_losses(path)[-1]["loss"] == 1.0


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path):
    path = tmp_path / "losses.jsonl"
    path.write_text('{"step": 0, "loss": 1.0}\n{"step": 1, "lo')

    assert read_losses(path) == [{"step": 0, "loss": 1.0}]


def test_what_was_written_is_there_before_the_log_is_closed(tmp_path):
    log = LossLog(tmp_path / "losses.jsonl", step=0)
    log.write(0, {"loss": 1.0})

    assert len(read_losses(tmp_path / "losses.jsonl")) == 1
    log.close()


def test_without_the_package_tensorboard_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)

    with pytest.raises(ConfigError, match="pip install tensorboard"):
        LossLog(tmp_path / "losses.jsonl", step=0, tensorboard=tmp_path / "events")
