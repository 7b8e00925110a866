"""The tables of models: evaluations and promotions."""
