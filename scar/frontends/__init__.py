"""The front-ends: each receives, sends and edits; the conversation is the same for all."""
