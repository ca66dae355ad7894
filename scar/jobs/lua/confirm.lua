-- Queues a job that awaits its confirmation, once. ARGV: id, sealed confirmation, hash of the plan
-- that was shown. Returns {'queued', id}, {'busy', id of the job that has locked
-- the same}, {'locked', the person's lock}, {'changed', id} where another plan is shown now, or
-- {'not', state}.
local id, confirmation, shown = ARGV[1], ARGV[2], ARGV[3]
local key = job_key(id)
local job = redis.call('HMGET', key, 'state', 'confirm_until', 'plan_hash', 'confirmation', 'respects')
local state, confirm_until, plan_hash, confirmed = job[1], job[2], job[3], job[4]
if not state then return {'not', ''} end
local locks, requires_free = locks_of(id), job[5] or '[]'
-- Run twice, since the answer to the first run was lost.
if confirmed == confirmation and not ended(state) then return {'queued', id} end
if state ~= 'awaiting_confirmation' then return {'not', state} end
if tonumber(confirm_until) < tonumber(now) then return {'not', 'expired'} end
if shown ~= plan_hash then return {'changed', id} end
local lock = persons_lock(locks)
if lock then return {'locked', lock} end
local holder = acquire(id, locks, requires_free)
if holder then return {'busy', holder} end
redis.call('HSET', key, 'state', 'queued', 'confirmation', confirmation, 'rung', now,
  'queued_at', now)
redis.call('HDEL', key, 'lease', 'claim')
redis.call('HINCRBY', key, 'fence', 1)
emit_waiting(id, 'queued')
return {'queued', id}
