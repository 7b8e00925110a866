"""Measures of masks against truth, each with its source."""
