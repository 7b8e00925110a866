"""The tables of phases."""
