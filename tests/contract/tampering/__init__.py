"""Attacks by somebody who can write to Redis or has stolen one key, all of which must fail."""
