"""Alerts: what goes wrong with containers and hosts, and who is told of it when."""
