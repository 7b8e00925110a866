"""What a snapshot selects: the finished pairs that are asked for, as they are at one moment."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from db.ontology import ontology_in_force
from db.session import transaction
from db.snapshot_candidates import hashes_by_age, iter_candidates, of_one_moment
from db.snapshots import gold_media, media_trained_on
from engine.errors import ConfigError
from engine.near_duplicates import alike_to, groups_of_alike
from engine.selection import Candidate, LeftOut, Selection, chosen, without_media
from engine.snapshots import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The pairs of a snapshot, as far as the database knows."""

    candidates: Sequence[Candidate]
    left_out: Counter[LeftOut]
    groups: Mapping[str, str]  # of media that look the same
    gold: frozenset[str]  # media of gold snapshots
    num_trained_on: int


def select_pairs(selection: Selection, purpose: Purpose, *, engine: Engine) -> Selected:
    """
    Read what there is to select.

    Args:
        selection: What is asked for.

        purpose: Training takes no media like one of gold; gold says how much of it was trained on.

        engine: The database.

    Raises:
        ConfigError: If a concept is asked for that no ontology in force has.
    """
    with transaction(engine) as session:
        of_one_moment(session)
        candidates, left_out = chosen(
            iter_candidates(session, selection),
            selection,
            names_concept=_names_concept(session, selection.concepts),
        )
        groups = groups_of_alike(hashes_by_age(session))
        gold = frozenset(gold_media(session))
        trained_on: set[str] = set()
        if purpose is Purpose.TRAINING:
            candidates, num_gold = without_media(candidates, alike_to(gold, groups))
            left_out = +(left_out + Counter({LeftOut.LIKE_GOLD: num_gold}))
        else:
            trained_on = alike_to(media_trained_on(session), groups)
    asked = {candidate.media_id for candidate in candidates}
    return Selected(
        candidates=candidates,
        left_out=left_out,
        groups=groups,
        gold=gold,
        num_trained_on=len(trained_on & asked),
    )


def _names_concept(session: Session, concepts: Sequence[str]) -> Callable[[str], bool]:
    """
    Return whether a phrase names one of *concepts*, or one below them.

    Raises:
        ConfigError: If no ontology is in force, or it does not have one of the concepts.
    """
    if not concepts:
        return lambda _: False
    ontology = ontology_in_force(session)
    if ontology is None:
        raise ConfigError("no ontology is in force: import one to select by concept")
    wanted: set[str] = set()
    for asked in concepts:
        node = ontology.by_id.get(asked) or ontology.concept_of(asked)
        if node is None:
            msg = f"ontology {ontology.version} has no concept {asked!r}"
            raise ConfigError(f"{msg}: give an id, a name or a synonym")
        wanted |= {node.id, *(below.id for below in ontology.descendants(node))}

    def is_wanted(phrase: str) -> bool:
        named = ontology.concept_of(phrase)
        return named is not None and named.id in wanted

    return is_wanted
