"""Measurements of the performance budget, each a command: `python -m benchmarks [NAME …]`."""
