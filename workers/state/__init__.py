"""What a host keeps on its disk: locks, journal, releases, job log, measured downtimes."""
