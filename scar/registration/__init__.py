"""How a front-end is registered: nothing else in SCAR names one."""
