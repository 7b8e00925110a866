"""
Media that look the same go together: no split may have one of them and another split the other.

  number       value  unit        source
  SAME_BITS    4      of 64 bits  copies that were scaled or compressed again are within 4
                                  (tests/unit/engine/test_images.py). Of 16 million pairs of other
                                  images 1 was within 4 and 19 within 6 (scenes of the concept
                                  world): with 6, a million media would chain to one group

Groups are joined transitively: where a looks like b and b like c, all three are one group.
"""

from collections.abc import Iterable, Mapping

from engine.formats.splits import split_by_media
from engine.images import near_duplicates

SAME_BITS = 4


def groups_of_alike(hashes: Mapping[str, int], *, max_distance: int = SAME_BITS) -> dict[str, str]:
    """
    Return the group of each media, named by its first media.

    Args:
        hashes: Perceptual hashes, 64 unsigned bits, by media id, the oldest media first: media that
            are added later never rename a group, they join it or begin one of their own. Only one
            that looks like two groups makes these one.

        max_distance: Bits that two hashes of media which look the same may differ in.
    """
    media_ids = list(hashes)
    parents = list(range(len(media_ids)))
    for first, second in near_duplicates(list(hashes.values()), max_distance):
        one, other = _root(parents, first), _root(parents, second)
        parents[max(one, other)] = min(one, other)
    return {media_id: media_ids[_root(parents, place)] for place, media_id in enumerate(media_ids)}


def split_by_group(
    media_ids: Iterable[str], groups: Mapping[str, str], shares: Mapping[str, float], seed: int
) -> dict[str, str]:
    """
    Return the split of each media; those of one group are in one split.

    The group and the seed alone decide, so media that are added move no other one.

    Args:
        media_ids: Which media to split.

        groups: The group of each of them.

        shares: Share of each split, see `engine.formats.splits`.

        seed: Another seed gives another split.

    Raises:
        ValueError: As `check_shares`.
    """
    wanted = list(media_ids)
    splits = split_by_media({groups[media_id] for media_id in wanted}, shares, seed)
    return {media_id: splits[groups[media_id]] for media_id in wanted}


def alike_to(media_ids: Iterable[str], groups: Mapping[str, str]) -> set[str]:
    """Return all media in the groups of *media_ids*, these among them."""
    touched = {groups[media_id] for media_id in media_ids}
    return {media_id for media_id, group in groups.items() if group in touched}


def _root(parents: list[int], place: int) -> int:
    """Return the first place of the group of *place*; the way there gets shorter each time."""
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place
