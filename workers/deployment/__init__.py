"""A deployment as a transaction: planned, copied, built, put in place and verified, then
recorded as a release, or compensated if a step fails.
"""
