"""What panes and dialogs are drawn with."""
