"""The tiny tracker: lessons from the concept world, one training run, and measuring it."""
