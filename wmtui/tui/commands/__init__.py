"""What the keys do: functions of a `Shell`, a module for each part of the screen or kind of change."""
