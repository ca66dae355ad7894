"""The rules of what is wrong with a container, one file each: pure functions of a view of it."""
