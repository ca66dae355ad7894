"""Runs a coding agent in a workspace: as which user, within which limits, and with a record that
undoes its changes.
"""
