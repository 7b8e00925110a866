"""One migration per file, numbered. Each works with the previous release's code."""
