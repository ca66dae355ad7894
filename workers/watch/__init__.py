"""Watches the host's containers for ever, and says what goes wrong with them."""
