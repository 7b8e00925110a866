"""The tables, in the order of docs/paper.md."""

from demo.paper.tables.adaptation import ADAPTATION
from demo.paper.tables.hard_negatives import HARD_NEGATIVES
from demo.paper.tables.readings import READINGS
from demo.paper.tables.rounds import ROUNDS
from demo.paper.tables.seconds import SECONDS
from demo.paper.tables.training_sets import TRAINING_SETS

TABLES = (READINGS, SECONDS, HARD_NEGATIVES, TRAINING_SETS, ADAPTATION, ROUNDS)
