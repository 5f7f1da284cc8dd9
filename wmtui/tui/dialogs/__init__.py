"""Boxes over the screen, in which an operator confirms a change before it is made. A dialog returns the answer."""
