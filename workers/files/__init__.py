"""The files of projects: scanning and comparing trees, and changing production with a way back.

A deploy of files consists of these calls, in this order:

    tree = scan(workspace, exclude, cache).entries          # reads only what changed
    changes = compare(tree, production, last, cache)        # three-way: last release is the base
    undo = Undo.of(job, production, changes)                # a write-ahead record of the change
    stage(workspace, production, undo, store, check)        # old and new contents into the store
    undo.save(path)                                         # synced; only then production changes
    apply(undo, store, cache, report, check)                # temporary files, sync, rename
    revert(undo, store, cache)                              # undoes even an interrupted `apply`

Below them: `ContentStore` (contents by SHA-256), `StatCache` (digests by `lstat` fields),
`Transition` (applies or reverts an undo record), `Tree` (folders opened without following links),
`durable` and `records` (synced writes). Functions raise `ScarError`, unless their docstring says
`OSError`.
"""
