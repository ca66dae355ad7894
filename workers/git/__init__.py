"""Git: the one place that runs it, and what SCAR has it do."""
