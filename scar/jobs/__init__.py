"""Jobs: a signed request with a record and an event stream on Redis, which a worker claims.

What this package keeps on Redis, and until when. A sealed value carries its signature (`signing`)
in front. Unsigned values can be corrupted by who can write to Redis, but no worker acts on them.

- `scar:job:<id>`, hash: a job's record, fields below. 30 days after its end; 1 day where the job
  only reads.
- `scar:job:<id>:events`, stream: its events as `type`, `at` and `data`; the ids count up from
  `1-0`. As long as the record.
- `scar:open`, sorted set: the ids of the jobs that have not ended, by when they were made.
- `scar:jobs` and `scar:jobs:<project>`, sorted sets: all ids, which sort by time. 30
  days.
- `scar:hold:<resource>`, string: the id of the open job that has locked a project or a workspace.
- `scar:locks`, hash: a person's lock (JSON) by project, or `*` for all. Until it is released.
- `scar:idempotency:<hash>`, hash: the job that an idempotency key made, and the fingerprint of the
  request. 1 day.
- `scar:watches:<front-end>`, hash: the message that shows a job, by job and place. Until it shows
  the job's end.
- `scar:mq:host.<host>`, list (Kombu's): ids of jobs for the workers of a host, signed (`bell`).
- `scar:sweep:last`, `scar:sweep:grace`, `scar:forget:last`, strings: when the last sweep was, until
  when no lease counts as expired, and that the indexes were cleaned up within the hour.
- `scar:<name>:inbox`, stream: letters, sealed (`letter`). Until they are dealt with; at most
  10,000. `scar:<name>:seen:<key>`, string: that one was received. 4 days.

Fields of a record: `request` (JSON) with its `signature` (`request`); `confirmation`,
`cancellation` and `plan`, all sealed; `plan_shown` and `plan_hash`, the plan as JSON and its hash;
`state`, `project`, `host`, `steps`, `result`, `error`, `started`, `finished`, `confirm_ms`,
`confirm_until`, `expires`; `holds` and `respects`, what the job locks and what it requires free;
`claim`, `worker`, `lease`, `attempt` and `fence` (the fencing number) of its worker; `batch`, the
last report that was written; `settled`, where it can no longer be cancelled; `seq`, the id of the
last event; `rung`, when its host was last notified.
"""
