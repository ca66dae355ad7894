"""What a host stores on its disk, in addition to the projects' files.

In a project's state folder: `lock` (`project_lock`), `journal.jsonl` (`Journal`), `releases/`
(`Releases`), `downtimes.json` (`DowntimeHistory`). In the host's: `workspaces/` (`workspace_lock`)
and one file for each job (`JobLog`). Content stores, undo records and stat caches belong to
`workers.files`.
"""
