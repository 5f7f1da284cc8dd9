"""What a load does on every warehouse: match columns, stage, merge; and the statements for it."""
