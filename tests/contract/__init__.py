"""One suite, on the emulated Redis and on a real one."""
