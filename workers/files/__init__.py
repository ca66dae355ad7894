"""The file half of a deploy: what a tree holds, what differs, and putting it in place.

with production_index.looking_ahead(production):        # beside the scan, on another core
    tree = scan(workspace, exclude, index)              # every file, read only if it changed
    changes = compare(tree, production, last, production_index)
undo = Undo.of(job, production, changes)
stage(workspace, production, undo, objects, check)      # contents, new and old, into the store
undo.save(path)                                         # on the disk; then, and only then:
apply(undo, objects, production_index, tell, check)     # each file written beside and renamed
revert(undo, objects, index)                            # from any instant of apply, any time
"""
