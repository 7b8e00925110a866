"""
Training of promptable concept segmentation models of transformers' Sam3 classes.

transformers ships no loss for Sam3: matcher and losses are here, with what else a run needs. It is
the same code for a tiny model from scratch and for fine-tuning facebook/sam3.

  targets.py      what is to be found for each pair
  forward.py      one pass over images and their phrases; the outputs of every decoder layer
  matching.py     which query answers for which target
  losses.py       presence, query, box, mask and semantic losses
  alignment.py    losses on the image features alone, which make a model from scratch learn
  optimisers.py   parameter groups, schedule and moving average
  checkpoints.py  a run that can be killed at any moment
"""
