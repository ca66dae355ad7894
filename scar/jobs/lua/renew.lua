-- Renews the lease of a worker. ARGV: id, fencing number, lease in milliseconds. Returns {'held',
-- sealed cancellation or ''}, or {'lost', ''} once another worker has claimed the job.
local id, fence, lease = ARGV[1], ARGV[2], ARGV[3]
local key = job_key(id)
local job = redis.call('HMGET', key, 'fence', 'state', 'cancellation')
local state, cancellation = job[2], job[3]
if job[1] ~= fence or ended(state) or state == 'queued' then return {'lost', ''} end
redis.call('HSET', key, 'lease', string.format('%.0f', now + lease))
return {'held', cancellation or ''}
