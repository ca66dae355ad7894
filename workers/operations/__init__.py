"""Jobs that change something: each can be cut off at any instant and recovered later."""
