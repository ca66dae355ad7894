"""The worker, which runs jobs: the only part of SCAR with access to the Docker socket."""
