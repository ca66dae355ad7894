"""Support code of the tests: emulators, acting workers, scenes. It contains no tests."""
