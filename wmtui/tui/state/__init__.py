"""What the screen knows and does apart from drawing: tables read, syncs queued, work in the background, preferences."""
