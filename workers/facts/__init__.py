"""The handlers of jobs that only read, one file for each kind."""
