"""SCAR on GitHub: comments are a chat, pushes can be deployed."""
