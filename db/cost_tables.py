"""The tables of what work cost."""
