"""What tests stand on: emulators, acting workers, scenes. No test is in here."""
