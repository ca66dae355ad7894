"""What is read: nothing here changes anything."""
