"""Everything SCAR does with Git, and the only place that runs it."""
