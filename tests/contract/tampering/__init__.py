"""What somebody who writes to Redis, or has one key, cannot do."""
