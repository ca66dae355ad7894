"""Jobs: signed requests, each with a record and an event stream on Redis, which workers claim.

The keys of this package on Redis, and their lifetimes. A sealed value begins with its signature
(`signing`). Whoever can write to Redis can corrupt unsigned values, but no worker acts on those,
and `proofs` refuses a record whose signatures do not fit.

- `scar:job:<id>`, hash: the record of a job, with the fields below. 30 days after the job's end; 15
  minutes if the job only reads.
- `scar:job:<id>:events`, stream: the job's events, a signed batch (`batch`, `events`, `seal`) or a
  change of state by a script (`type`, `data`) each; the id counts events. Same lifetime.
- `scar:open`, sorted set: the ids of the jobs that have not ended, by time of creation.
- `scar:jobs` and `scar:jobs:<project>`, sorted sets: the ids of all jobs, which sort by time. 30
  days.
- `scar:jobs-changing` and `scar:jobs-changing:<project>`: the same of jobs that change something.
- `scar:page:link:<hash>`, string: a sealed sign-in link of the page, 60 s.
- `scar:page:mini-app:<hash>`, string: what Telegram has signed for a Mini App was used, 2 minutes.
- `scar:page:session:<ref>`, string: a sealed session of the page; `scar:page:sessions:<person>`,
  set: the person's. 12 hours.
- `scar:hold:<resource>`, string: the id of the unfinished job that has locked a project or a
  workspace.
- `scar:slots:<host>`, `scar:waiting:<host>`, `scar:long:<host>`, hashes: `<class> <person>` of the
  jobs that have a slot, wait for one, or are long and open. Checked against the records when read.
- `scar:locks`, hash: `locked` or `released`, and the sealed record of that, by project, or `*`.
- `scar:audit`, stream, and `scar:audit:tip`, string: the trail and its end (`trail`).
- `scar:refusals`, stream: what was refused.
- `scar:idempotency:<hash>`, hash: the job created with an idempotency key, and a fingerprint of the
  request. 1 day.
- `scar:watches:<front-end>`, hash: the state of the message that shows a job, by job and place.
  Until the message shows the job's end.
- `scar:mq:host.<host>`, list (Kombu's): ids of jobs for the workers of a host, signed as `bell`.
- `scar:sweep:last`, `scar:sweep:grace`, `scar:forget:last`, strings: the time of the last sweep;
  the time until which no lease expires; a marker that exists for an hour after the indexes were
  cleaned up.
- `scar:<name>:inbox`, stream: deliveries from outside, sealed as `letter`. Until they are handled;
  at most 10,000. `scar:<name>:seen:<key>`, string: a marker that a delivery was received. 4 days.

Fields of a record: `request` (JSON) with its `signature`; `confirmation`, `cancellation`, `plan`,
`steps`, `end` and `swept` (the end of a job that nobody did), all sealed; `plan_hash`, the hash of
the plan; `state`, `project`, `host`, `started`, `finished`, `confirm_ms`, `confirm_until`,
`expires`, `unavailable` (set while no worker listens); `holds` and `respects`, the resources that
the job locks and those it requires free; `claim`, `worker`, `lease`, `attempt` and `fence` (the
fencing token) of its worker; `batch`, the number of the last batch of events that the worker wrote;
`settled`, set once the job can no longer be cancelled; `noted`, set once its host knows that it was
cancelled; `seq`, the id of the last event; `rung`, the time of the last notification of its host.
"""
