"""A tour of SCAR on real parts, through the chat, as a person would take it."""
