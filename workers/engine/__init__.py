"""The only place that speaks to the Docker Engine, and the only one that runs `docker compose`."""
