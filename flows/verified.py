"""
Proposals as a verifier sees them: by its presence in place of the proposer's, and without the masks
whose acceptance is too low.

Both after the SAM 3 paper, A.2: the score of a mask becomes query score * EV presence, and masks
that MV does not accept go. How likely MV must call a mask good is the user's choice.
"""

from collections.abc import Container
from dataclasses import dataclass, field, replace
from itertools import compress

from db.facts import PairFacts
from db.selection import ProposerChoice
from engine.errors import ConfigError
from engine.records import ProposalSet
from engine.verdicts import ACCEPTING, Verdict, accepted_set_id, masks_by_id, presence_of
from flows.datasets import proposals_of

_SHOWN_PAIRS = 3


@dataclass(slots=True, kw_only=True)
class Reading:
    """Which proposals count and how they are scored. The two options know nothing of each other."""

    choice: ProposerChoice | None
    is_ev_presence: bool = False
    min_acceptance: float = 0.0  # of a mask by MV, in [0, 1]
    unverified: list[str] = field(default_factory=list)  # pairs whose verdicts are missing

    @property
    def needs_verdicts(self) -> bool:
        return self.is_ev_presence or self.min_acceptance > 0

    def proposals_of(self, facts: PairFacts) -> ProposalSet | None:
        """
        Return the proposals that count; None if there are none yet.

        A pair without the verdicts that the options need is noted as unverified, and has none.
        """
        proposals = proposals_of(facts, self.choice)
        if proposals is None or not self.needs_verdicts:
            return proposals
        verdicts = {verdict.subject_id: verdict for verdict in facts.verdicts}
        try:
            return self._read(proposals, verdicts)
        except KeyError:
            self.unverified.append(facts.pair.id)
            return None

    def check(self, pair_ids: Container[str] | None = None) -> None:
        """
        Return if every pair that was read had its verdicts.

        Args:
            pair_ids: Only these pairs matter. None: all.

        Raises:
            ConfigError: If not: what the others have would pass for all there is.
        """
        missing = [one for one in self.unverified if pair_ids is None or one in pair_ids]
        if missing:
            shown = ", ".join(missing[:_SHOWN_PAIRS])
            msg = f"{len(missing)} pairs have no verdicts of the newest verifier: {shown}"
            more = ", ..." if len(missing) > _SHOWN_PAIRS else ""
            raise ConfigError(f"{msg}{more}; run maskloop verify, and see maskloop failures")

    def _read(self, proposals: ProposalSet, verdicts: dict[str, Verdict]) -> ProposalSet:
        if self.is_ev_presence:
            zero_box = verdicts[accepted_set_id(proposals.pair_id, ())]
            proposals = replace(proposals, presence=presence_of(zero_box))
        if self.min_acceptance > 0:
            acceptances = [
                verdicts[each].probability(*ACCEPTING) for each in masks_by_id(proposals)
            ]
            is_kept = [acceptance >= self.min_acceptance for acceptance in acceptances]
            kept = tuple(compress(proposals.proposals, is_kept))
            proposals = replace(proposals, proposals=kept)
        return proposals
