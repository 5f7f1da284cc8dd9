"""What the keys do: functions of a `Shell`, one room of the screen or one kind of change to a module."""
