"""SCAR in Telegram."""
