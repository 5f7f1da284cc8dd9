"""Data as people read it: values, sentences, glyphs, for the command line and the screen alike."""
