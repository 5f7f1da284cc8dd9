"""What panes and dialogs are made of: lists, paragraphs, tables, and how values look in cells. They know no command."""
