"""Which key runs which command, and the queue in which keys typed ahead wait."""
