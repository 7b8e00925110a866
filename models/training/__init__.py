"""
Training of promptable concept segmentation models of transformers' Sam3 classes.

transformers ships no loss for Sam3: matcher and losses are here, with what else a run needs. It is
the same code for a tiny model from scratch and for fine-tuning facebook/sam3.

  proposer.py     a training from end to end: weights in, weights out
  recipes.py      all but data and code that the weights depend on, for small and large models
  fit.py, run.py  the loop with its checkpoints; the state and one step
  objective.py    a model and the loss of a batch, as one module

  examples.py     finished pairs of an image, and what each may teach
  decks.py        which images come next
  views.py        flips and windows under which the truth stays true
  wording.py      synonyms, ancestors and descendants from the ontology
  boxes_shown.py  boxes that a person might have drawn
  mosaics.py      several images as one
  maker.py        batch k, from the sets, the recipe and k alone
  batches.py      one batch

  targets.py      what is to be found for each pair
  forward.py      one pass over images and their phrases; the outputs of every decoder layer
  matching.py     which query answers for which target, one to one and one to many
  losses.py       presence, query, box, mask and semantic losses
  points.py       pixels that stand for a large mask
  alignment.py    losses on the image features alone, which make a small model learn
  optimisers.py   parameter groups, schedules and moving average
  checkpoints.py  a run that can be killed at any moment
  logs.py         the losses of each step
"""
