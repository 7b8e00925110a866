"""The tables of snapshots."""
