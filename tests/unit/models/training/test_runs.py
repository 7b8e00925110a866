"""A run's rate, its average, and checkpoints that survive a kill."""

from pickle import PicklingError

import pytest
import torch
from torch import nn

from models.training.checkpoints import load_checkpoint, save_checkpoint
from models.training.optimisers import cosine_rate, follow, parameter_groups


def test_the_rate_rises_and_then_falls():
    rates = [cosine_rate(step, num_steps=100, warm_up_steps=10) for step in range(101)]

    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0.03)
    assert max(rates) == pytest.approx(1, abs=0.05)


def test_matrices_decay_and_embeddings_biases_and_norms_do_not():
    layers = {"linear": nn.Linear(2, 3), "embedding": nn.Embedding(4, 2), "norm": nn.LayerNorm(2)}

    decaying, constant = parameter_groups([nn.ModuleDict(layers)], weight_decay=0.1)

    assert [id(p) for p in decaying["params"]] == [id(layers["linear"].weight)]
    assert len(constant["params"]) == 4
    assert (decaying["weight_decay"], constant["weight_decay"]) == (0.1, 0.0)


def test_frozen_parameters_are_in_no_group():
    layer = nn.Linear(2, 3).requires_grad_(False)

    assert all(not group["params"] for group in parameter_groups([layer], weight_decay=0.1))


def test_the_average_follows_slowly_and_arrives():
    model, average = nn.Linear(2, 2), nn.Linear(2, 2)
    before = (average.weight - model.weight).abs().sum()

    follow(average, model, step=10_000, decay=0.9)
    once = (average.weight - model.weight).abs().sum()
    assert once.item() == pytest.approx(0.9 * before.item(), rel=1e-4)
    for _ in range(200):
        follow(average, model, step=10_000, decay=0.9)
    torch.testing.assert_close(average.weight, model.weight)


def test_before_the_first_checkpoint_there_is_none(tmp_path):
    assert load_checkpoint(tmp_path / "checkpoint.pt") is None


def test_a_state_comes_back(tmp_path):
    path = tmp_path / "run" / "checkpoint.pt"
    save_checkpoint(path, {"step": 3, "weights": torch.arange(4)})

    state = load_checkpoint(path)
    assert state["step"] == 3
    assert state["weights"].tolist() == [0, 1, 2, 3]


def test_a_save_that_breaks_off_leaves_the_checkpoint_that_was_there(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"step": 3, "weights": torch.ones(1000)})
    with pytest.raises((AttributeError, PicklingError)):
        save_checkpoint(path, {"step": 4, "weights": torch.ones(1000), "cannot": lambda: None})

    assert load_checkpoint(path)["step"] == 3
