"""Jobs that only read."""
