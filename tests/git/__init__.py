"""Git as SCAR runs it, against a real Git server."""
