"""What runs jobs: the only part of SCAR that reaches the Docker socket."""
