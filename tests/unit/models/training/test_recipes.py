"""The recipe that a training takes, and what of a model moves how fast."""

from dataclasses import replace

import pytest

from engine.errors import ConfigError
from models.settings import TrainingSettings
from models.tiny.architecture import build_model
from models.training.optimisers import rate_factor, rate_groups
from models.training.proposer import training_recipe
from models.training.recipes import SAM3, TINY


def test_the_preset_follows_from_the_size():
    sizes = {1_300_000: "tiny", 840_000_000: "sam3"}
    found = {
        size: training_recipe(TrainingSettings(), num_parameters=size, seed=1).preset
        for size in sizes
    }

    assert found == sizes


def test_settings_change_fields_of_the_recipe_and_of_its_parts():
    settings = TrainingSettings(
        recipe={"rate": 1e-4, "losses": {"presence": 3}, "betas": [0.8, 0.9]}
    )
    recipe = training_recipe(settings, num_parameters=1, seed=5)

    assert (recipe.rate, recipe.losses.presence, recipe.betas, recipe.seed) == (
        1e-4,
        3,
        (0.8, 0.9),
        5,
    )
    assert recipe.losses.query == TINY.losses.query


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"rates": 1}, "no field rates", id="unknown"),
        pytest.param({"losses": {"mask": 1}}, "no field losses.mask", id="unknown in a part"),
        pytest.param({"rate": "fast"}, "rate", id="a text"),
        pytest.param({"losses": 3}, "losses", id="a number for a part"),
        pytest.param({"rate": {"a": 1}}, "rate", id="a part for a number"),
        pytest.param({"schedule": "straight"}, "schedule", id="no such schedule"),
    ],
)
def test_a_wrong_field_is_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        training_recipe(TrainingSettings(recipe=changes), num_parameters=1, seed=0)


def shares_of(recipe):
    model = build_model(300)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = rate_groups(model, [], recipe)
    found = {
        names[id(p)]: (group["share"], group["weight_decay"])
        for group in groups
        for p in group["params"]
    }
    assert found.keys() == dict(model.named_parameters()).keys()
    return found


def test_lower_layers_of_the_image_encoder_move_more_slowly():
    shares = shares_of(SAM3)
    layers = [
        shares[f"vision_encoder.backbone.layers.{number}.mlp.fc1.weight"][0] for number in range(4)
    ]

    assert layers == pytest.approx([0.3125 * 0.9**power for power in (3, 2, 1, 0)])
    patches = shares["vision_encoder.backbone.embeddings.patch_embeddings.projection.weight"]
    assert patches[0] == pytest.approx(0.3125 * 0.9**4)


def test_text_and_detector_have_rates_of_their_own():
    shares = shares_of(SAM3)

    assert shares["text_encoder.text_model.encoder.layers.0.mlp.fc1.weight"] == (0.0625, 0.1)
    assert shares["text_projection.weight"] == (0.0625, 0.1)
    assert shares["detr_decoder.layers.0.mlp.fc1.weight"] == (1.0, 0.1)
    assert shares["detr_decoder.layers.0.mlp.fc1.bias"] == (1.0, 0.0)


def test_new_words_of_a_tiny_model_move_faster_and_do_not_shrink():
    shares = shares_of(TINY)

    word = shares["text_encoder.text_model.embeddings.token_embedding.weight"]
    assert word == (TINY.embedding_rate, 0.0)
    assert TINY.embedding_rate > 1


def test_the_inverse_root_rises_falls_and_ends_at_nothing():
    recipe = replace(SAM3, num_steps=400)
    rates = [rate_factor(step, recipe) for step in range(400)]

    assert rates[:20] == sorted(rates[:20])
    assert rates[19] == pytest.approx(1.0)
    assert rates[79] == pytest.approx(0.5)
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[-1] < 0.02
