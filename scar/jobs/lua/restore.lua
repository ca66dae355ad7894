-- Puts a job back that Redis has lost and a worker had begun. ARGV: id, request, signature, project,
-- host, confirmation, expiry in milliseconds since the epoch, what it holds (JSON list); for the trail:
-- who asked, their name. Returns 1, or 0 where it is there, or another holds the same now.
local id, request, signature, project, host = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local key = job_key(id)
local holds = ARGV[8]
if redis.call('EXISTS', key) == 1 or hold(id, holds, '[]') then return 0 end
redis.call('HSET', key, 'request', request, 'signature', signature, 'state', 'queued',
  'attempt', 1, 'fence', 1, 'batch', 0, 'seq', 0, 'rung', now, 'host', host, 'confirm_ms', 0,
  'confirmation', ARGV[6], 'expires', ARGV[7], 'holds', holds, 'respects', '[]')
if project ~= '' then redis.call('HSET', key, 'project', project) end
emit(id, 'job', '{"state":"queued"}')
redis.call('ZADD', 'scar:open', now, id)
redis.call('ZADD', 'scar:jobs', 0, id)
if project ~= '' then redis.call('ZADD', 'scar:jobs:' .. project, 0, id) end
trail(ARGV[9], ARGV[10], 'restored', project, id, 'queued')
return 1
