"""What changes production: each of it can be cut off at any instant and settled later."""
