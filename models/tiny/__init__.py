"""Our own tiny checkpoints of the architectures that production uses at full size."""
