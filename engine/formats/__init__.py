"""Dataset files and records, both ways: one file per format."""
