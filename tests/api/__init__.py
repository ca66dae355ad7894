"""The API, in this process and as a live server, on a real Redis."""
