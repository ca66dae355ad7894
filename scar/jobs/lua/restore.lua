-- Writes a job again that a worker had begun and Redis has lost. ARGV: id, request, signature,
-- project ('' for none), host, confirmation, expiry in milliseconds since the epoch, what it locks
-- (JSON list); for the audit trail: who asked, their name. Returns 1, or 0 where the job is there, or
-- another has locked the same now.
local id, request, signature, project, host = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local confirmation, expires, locks, actor, name = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local key = job_key(id)
if redis.call('EXISTS', key) == 1 or acquire(id, locks, '[]') then return 0 end
redis.call('HSET', key, 'request', request, 'signature', signature, 'state', 'queued',
  'attempt', 1, 'fence', 1, 'batch', 0, 'seq', 0, 'rung', now, 'host', host, 'confirm_ms', 0,
  'confirmation', confirmation, 'expires', expires, 'holds', locks, 'respects', '[]')
if project ~= '' then redis.call('HSET', key, 'project', project) end
emit(id, 'job', '{"state":"queued"}')
redis.call('ZADD', 'scar:open', now, id)
redis.call('ZADD', 'scar:jobs', 0, id)
if project ~= '' then redis.call('ZADD', 'scar:jobs:' .. project, 0, id) end
trail(actor, name, 'restored', project, id, 'queued')
return 1
