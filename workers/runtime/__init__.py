"""What a job runs with: its context, how it reports, what it masks; and what a handler is."""
