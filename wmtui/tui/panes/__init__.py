"""The parts of the screen that are always there: the open table, the log, the status bar."""
