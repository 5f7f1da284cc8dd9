"""Runs: what each one read and wrote, how it ended, and which of its files were loaded."""
