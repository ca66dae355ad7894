"""A deployment as a transaction: planned, staged, built, put in place, verified, then recorded as a
release or compensated.
"""
