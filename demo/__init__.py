"""The concept world: scenes with known truth to measure in, and the demo that runs on them."""
