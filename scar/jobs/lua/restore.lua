-- Puts a job back that Redis has lost and a worker had begun. ARGV: id, request, signature, project,
-- host, confirmation, expiry in milliseconds since the epoch; for the trail: who asked, their name.
-- Returns 1, or 0 where it is there, or another holds its project now.
local id, request, signature, project, host = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local key = job_key(id)
if redis.call('EXISTS', key) == 1 or hold(project, id) then return 0 end
redis.call('HSET', key, 'request', request, 'signature', signature, 'state', 'queued',
  'attempt', 1, 'fence', 1, 'batch', 0, 'seq', 0, 'rung', now, 'host', host, 'confirm_ms', 0,
  'project', project, 'confirmation', ARGV[6], 'expires', ARGV[7])
emit(id, 'job', '{"state":"queued"}')
redis.call('ZADD', 'scar:open', now, id)
redis.call('ZADD', 'scar:jobs', 0, id)
redis.call('ZADD', 'scar:jobs:' .. project, 0, id)
trail(ARGV[8], ARGV[9], 'restored', project, id, 'queued')
return 1
