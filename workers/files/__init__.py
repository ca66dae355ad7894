"""The files of projects: what a tree holds, what differs, and putting it in place.

A deploy of files is these calls, in this order:

    tree = scan(workspace, exclude, cache).entries          # reads only what changed
    changes = compare(tree, production, last, cache)        # three-way: last release is the base
    undo = Undo.of(job, production, changes)                # a write-ahead record of the change
    stage(workspace, production, undo, store, check)        # old and new contents into the store
    undo.save(path)                                         # synced; only then production changes
    apply(undo, store, cache, report, check)                # write beside, sync, rename
    revert(undo, store, cache)                              # back, from any instant of `apply`

Below them: `ContentStore` (contents by SHA-256), `StatCache` (digests by `lstat` fields),
`Transition` (applies or reverts an undo record), `Tree` (folders opened without following links),
`durable` and `records` (synced writes). All raise `ScarError`, except where they say `OSError`.
"""
