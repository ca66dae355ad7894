-- Keeps a claim. ARGV: id, fencing number, lease in milliseconds. Returns {'held', cancellation or
-- ''}, or {'lost', ''} once another has the job.
local key = job_key(ARGV[1])
local found = redis.call('HMGET', key, 'fence', 'state', 'cancellation')
if found[1] ~= ARGV[2] or ended(found[2]) or found[2] == 'queued' then return {'lost', ''} end
redis.call('HSET', key, 'lease', string.format('%.0f', now + ARGV[3]))
return {'held', found[3] or ''}
