"""The tables that say where a verifier may decide at all."""
