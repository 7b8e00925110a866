"""
The tables of the SAM 3 paper in miniature, measured on the concept world.

  scenes.py       scenes with phrases, kept in memory
  play.py         the engine's own steps on them: propose, verify, route, people
  labels.py       what each way to annotate leaves: pseudo-labels, verified, by the whole engine
  tuning.py       a fine-tune from the bundled weights, by the product's trainer
  scores.py       the official metrics of a proposer, with and without verifiers
  rows.py         what was measured, kept row by row, so that a run can be killed at any moment
  tables/         one module a table: which rows there are and how each is measured
  page.py         docs/paper.md and its plots
"""
