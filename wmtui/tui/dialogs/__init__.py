"""Boxes over the screen: what is asked before anything is changed."""
