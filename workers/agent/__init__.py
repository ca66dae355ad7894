"""A coding agent at work in a workspace: as whom, within which limits, and how it is undone."""
