"""The shell command, as processes."""
