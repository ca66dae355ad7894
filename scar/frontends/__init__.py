"""The front-ends: each receives, sends and edits messages, in a package of its own."""
