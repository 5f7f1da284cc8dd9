"""Ledger and fence: which files a target has, and which run may load into it."""
