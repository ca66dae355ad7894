-- Turns a question into a queued job, once. ARGV: id, sealed confirmation, hash of the plan that
-- was shown ('' where none was), error if no worker listens. Returns {'queued', id}, {'busy', holder},
-- {'locked', the person's lock}, {'changed', id} where
-- another plan is on the table now, or {'not', state}.
local id, confirmation, shown = ARGV[1], ARGV[2], ARGV[3]
local key = job_key(id)
local found = redis.call('HMGET', key, 'state', 'confirm_until', 'plan_hash', 'confirmation', 'respects')
local state, confirm_until, plan_hash = found[1], found[2], found[3]
if not state then return {'not', ''} end
local holds, respects = holds_of(id), found[5] or '[]'
-- Run twice, since the answer to the first run was lost.
if found[4] == confirmation and not ended(state) then return {'queued', id} end
if state ~= 'awaiting_confirmation' then return {'not', state} end
if tonumber(confirm_until) < tonumber(now) then return {'not', 'expired'} end
if shown ~= '' and plan_hash and shown ~= plan_hash then return {'changed', id} end
local lock = locked(holds)
if lock then return {'locked', lock} end
local holder = hold(id, holds, respects)
if holder then return {'busy', holder} end
redis.call('HSET', key, 'state', 'queued', 'confirmation', confirmation, 'rung', now)
redis.call('HDEL', key, 'lease', 'claim', 'error')
redis.call('HINCRBY', key, 'fence', 1)
local data = {state = 'queued'}
if unheard(redis.call('HGET', key, 'host')) then
  redis.call('HSET', key, 'error', ARGV[4])
  data.error = cjson.decode(ARGV[4])
end
emit(id, 'job', cjson.encode(data))
return {'queued', id}
