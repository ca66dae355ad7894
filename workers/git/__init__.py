"""Clones, fetches and updates repositories; no other package runs Git, except for the diff of an
agent's changes.
"""
