"""Access to the Docker Engine. No other package calls the Engine's API or runs `docker compose`."""
