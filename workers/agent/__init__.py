"""A coding agent in a workspace: its user, its limits, and the record that undoes its changes."""
