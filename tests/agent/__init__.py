"""A coding agent as a job."""
