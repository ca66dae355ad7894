"""The Telegram bot, as people see it."""
