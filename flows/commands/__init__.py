"""One file per group of commands. Only click is imported at the top: see `flows.cli`."""
