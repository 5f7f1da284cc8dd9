"""The parts of the screen that are always there. A pane knows widgets and state, and no command."""
