"""What a host keeps on its disk, beside the projects' files.

In the state folder of a project: `lock` (`project_lock`), `journal.jsonl` (`Journal`), `releases/`
(`Releases`), `downtimes.json` (`DowntimeHistory`). In that of the host: `workspaces/`
(`workspace_lock`) and one file a job (`JobLog`). Contents, undo records and stat caches are
`workers.files`' own.
"""
