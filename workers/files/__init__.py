"""The file half of a deploy: what a tree holds, what differs, and putting it in place.

tree = scan(workspace, excludes, index)           # every file of the workspace, hashed once
changes = compare(tree.manifest, production, last, production_index)
stage(workspace, changes, objects)                # new content, into the store
undo = Undo.prepare(...); undo.save(path)         # old content too; then, and only then:
apply(undo, objects, progress, check)             # each file written beside and renamed
revert(undo, objects)                             # from any instant of `apply`, any number of times
"""
