"""
What maskloop's speed is measured with: one file per claim, each a ratio taken in one run.

`make bench` runs all of them; `python -m benchmarks.claim` runs one.
"""
