"""The chat experience, the same for every front-end: ask, confirm, follow, one message a job."""
