"""SCAR in a terminal."""
