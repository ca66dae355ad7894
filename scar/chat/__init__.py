"""The chat, the same for every front-end: commands, confirmations, and one message for each job,
edited as the job goes on.
"""
