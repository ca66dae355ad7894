"""A deploy as a transaction: planned, staged, built, put in place, verified, recorded or undone."""
