"""The web page: one more front-end, rendered on the server."""
