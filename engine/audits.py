"""Which subjects people label for the sake of the labels: a random draw from what was asked."""

import random
from collections import defaultdict
from collections.abc import Iterable

from engine.calibration import decided_verdicts
from engine.decisions import CalibratedTask
from engine.verdicts import Verdict


def draw_subjects(
    judged: Iterable[tuple[str, Verdict]], *, per_task: int, seed: int
) -> list[tuple[str, Verdict]]:
    """
    Draw subjects one by one, each as likely as the others of its task.

    Args:
        judged: Domains and verdicts, those of one pair together.

        per_task: Subjects of each calibrated task; fewer where there are no more.

        seed: Of the draw; the same seed and verdicts give the same subjects.

    Returns:
        Domain and verdict of each subject, those of one task together. They are drawn from what
        thresholds would decide about.
    """
    by_task: defaultdict[CalibratedTask, dict[str, tuple[str, Verdict]]] = defaultdict(dict)
    for key, verdict in decided_verdicts(judged):
        by_task[key.task][verdict.subject_id] = (key.domain, verdict)
    rng = random.Random(seed)
    return [
        by_task[task][subject_id]
        for task in CalibratedTask
        for subject_id in rng.sample(sorted(by_task[task]), min(per_task, len(by_task[task])))
    ]
