"""How the tiny verifier learns from the concept world, and how it is measured there."""
