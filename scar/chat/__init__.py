"""The chat, the same for every front-end: ask, confirm, follow, one message for each job."""
