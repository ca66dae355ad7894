"""GitHub: a stateful server that others wrote, and SCAR in front of it."""
