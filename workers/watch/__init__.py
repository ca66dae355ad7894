"""Watches the host's containers, and opens alerts for what goes wrong."""
