"""What every handler uses: the job's context, reports to Redis, masking of secrets, and the base
classes of handlers.
"""
