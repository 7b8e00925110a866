"""Verifiers at inference: the proposer, EV's presence in place of its own, MV's masks alone."""

from collections.abc import Mapping
from random import Random

from demo.ceiling import annotated_again
from demo.paper.lab import Lab
from demo.paper.play import Judged
from demo.paper.scenes import BASE_WORDS, NEW_WORDS, SceneSet
from demo.paper.scores import score, sure, with_presence, with_verifiers
from demo.paper.table import Table
from demo.world.scenes import NIGHT, SCATTER
from engine.records import ProposalSet

_READINGS = {
    "proposer": lambda each: each.proposals,
    "+ EV": with_presence,
    "+ EV + MV": with_verifiers,
}


def _measure(arm: str, seed: int, lab: Lab) -> Mapping[str, float]:
    judged = _judged(seed, lab)
    read = _READINGS.get(arm, _by_second_annotator)
    return score([each.asked for each in judged], [read(each) for each in judged]).as_values()


def _judged(seed: int, lab: Lab) -> list[Judged]:
    """Return scenes on which the bundled proposer is weak: new words, night, small things."""
    num = lab.size.measured_scenes // 2
    sets = (
        SceneSet(number=0, seed=seed, num_scenes=num, sampling=NEW_WORDS),
        SceneSet(number=1, seed=seed, num_scenes=num, sampling=BASE_WORDS, domain=SCATTER),
        SceneSet(number=2, seed=seed, num_scenes=num, sampling=BASE_WORDS, domain=NIGHT),
    )
    asked = [one for each in sets for one in each.asked()]
    return lab.judged(asked, lab.bundled)


def _by_second_annotator(judged: Judged) -> ProposalSet:
    asked = judged.asked
    return sure(asked, annotated_again(asked.known, Random(f"human/{asked.pair.id}")))


READINGS = Table(
    name="verifiers",
    title="AI verifiers at inference",
    source="Table 9d",
    columns=("cgF1", "IL_MCC", "pmF1"),
    arms=("proposer", "+ EV", "+ EV + MV", "second annotator"),
    published={
        "proposer": {"cgF1": 54.0, "IL_MCC": 0.82, "pmF1": 65.9},
        "+ EV": {"cgF1": 61.2, "IL_MCC": 0.86, "pmF1": 70.8},
        "+ EV + MV": {"cgF1": 62.3, "IL_MCC": 0.87, "pmF1": 71.1},
        "second annotator": {"cgF1": 72.8, "IL_MCC": 0.94, "pmF1": 77.0},
    },
    plotted="cgF1",
    setting="The bundled proposer on three kinds of scenes on which it is weak: words that it was "
    "never told, small and many things, and night. Nothing is trained; a seed draws other scenes. "
    "The second annotator is simulated to err about presence as people do on SA-Co/Gold, so that "
    "its IL_MCC is no result.",
    measure=_measure,
    reading="As in the paper EV brings most of what verifiers bring. MV brings next to nothing "
    "here: most masks that it would take away are of phrases for which EV says already "
    "that nothing is there.",
)
