from pathlib import Path

import pytest

from engine.formats.veval import frame_pairs, read_veval
from engine.masks import to_coco
from engine.records import Outcome
from tests.datasets import mask_of, written

TOY = Path(__file__).parents[5] / "shared/data/veval_toy/gt.json"
LEFT = mask_of("##...... ##...... ........ ........ ........ ........")
NOTHING = mask_of("........ " * 6)


def masklet(**overrides):
    fields = {"id": 5, "video_id": 0, "category_id": 2, "noun_phrase": "dog", "iscrowd": 0}
    return {**fields, "segmentations": [to_coco(LEFT), None, to_coco(NOTHING)], **overrides}


def asked(**overrides):
    fields = {"id": 9, "video_id": 0, "category_id": 2, "noun_phrase": "Dog", "num_masklets": 1}
    return {**fields, **overrides}


def read(tmp_path, annotations, pairs, **overrides):
    names = ["v/0.jpg", "v/4.jpg", "v/8.jpg"]
    video = {"id": 0, "video_name": "v", "file_names": names, "width": 8, "height": 6}
    document = {"videos": [{**video, **overrides}], "annotations": annotations}
    return read_veval(written(tmp_path / "gt.json", {**document, "video_np_pairs": pairs}))


def test_a_masklet_has_a_mask_or_none_for_each_frame(tmp_path):
    (found,) = read(tmp_path, [masklet()], [asked()]).pairs

    assert ("dog", [(LEFT, None, None)]) == (found.phrase, [m.masks for m in found.masklets])


def test_frames_are_pairs(tmp_path):
    absent = asked(id=10, category_id=3, noun_phrase="cat", num_masklets=0)

    found = frame_pairs(read(tmp_path, [masklet()], [asked(), absent]))

    assert [Outcome.INSTANCE_EXHAUSTIVE] + 5 * [Outcome.NEGATIVE] == [
        pair.outcome for pair in found.pairs
    ]
    assert ["v/0.jpg", "v/4.jpg", "v/8.jpg"] == [media.file_name for media in found.media]


def test_a_group_masklet_gives_group_masks(tmp_path):
    found = frame_pairs(read(tmp_path, [masklet(iscrowd=1)], [asked()]))

    assert Outcome.PIXEL_EXHAUSTIVE is found.pairs[0].outcome


def test_a_lost_masklet_makes_no_negatives(tmp_path):
    found = read(tmp_path, [masklet(), masklet(segmentations=[])], [asked(num_masklets=2)])

    assert [Outcome.INCOMPLETE, None, None] == [pair.outcome for pair in frame_pairs(found).pairs]
    assert ["annotation 5", "pair 9"] == [
        failure.subject_id.partition("#")[2] for failure in found.failures
    ]


@pytest.mark.parametrize(
    ("annotations", "pairs", "video", "name"),
    [
        pytest.param([masklet(video_id=3)], [], {}, "annotation 5", id="unknown video"),
        pytest.param([masklet(segmentations=[1, 2, 3])], [], {}, "annotation 5", id="no mask"),
        pytest.param([], [asked(noun_phrase=" ")], {}, "pair 9", id="no phrase"),
        pytest.param([], [asked(num_masklets="1")], {}, "pair 9", id="no number"),
        pytest.param([], [], {"file_names": [1]}, "video 0", id="no file names"),
        pytest.param([], [], {"height": None}, "video 0", id="no height"),
    ],
)
def test_a_bad_entry_is_a_failure_that_names_it(tmp_path, annotations, pairs, video, name):
    found = read(tmp_path, annotations, pairs, **video)

    assert [name] == [failure.subject_id.partition("#")[2] for failure in found.failures]


@pytest.mark.skipif(not TOY.exists(), reason="the toy set is not beside the project")
def test_the_published_toy_set_is_read_whole():
    found = read_veval(TOY)

    assert ([0, 1, 4, 4, 4, 4, 4, 12], ()) == (
        [len(pair.masklets) for pair in found.pairs],
        found.failures,
    )
