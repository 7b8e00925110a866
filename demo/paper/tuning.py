"""A fine-tune of the proposer, by the product's trainer."""
