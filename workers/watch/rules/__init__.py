"""The rules that decide whether something is wrong with a container, one file each: pure functions
of a `ContainerView`.
"""
