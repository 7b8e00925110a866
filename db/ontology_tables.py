"""The tables of concepts and of what was mined from them."""
