"""Alerts: the problems of containers and hosts, and which chats get messages about them when."""
