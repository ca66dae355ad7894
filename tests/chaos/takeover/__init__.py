"""Whole deploys behind a stand-in, under requests, on machines of every kind, killed at each step.

Each machine is a network namespace with an Engine of its own, and with firewall rules as that
Engine makes them; another namespace is the machine that requests come from.
"""
