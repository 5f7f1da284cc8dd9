"""What the screen knows: tables read, syncs queued, steps of the demo, preferences. Nothing here knows Textual."""
