-- Writes a job, once. KEYS: none (one Redis). ARGV: id, request, signature, state, project ('' for
-- none), changes ('1' or ''), host, confirm milliseconds, error if no worker listens, idempotency
-- key ('' for none), fingerprint of the request, watching front-end ('' for none), watch,
-- confirmation ('' for none), expiry in milliseconds since the epoch; for the trail: who asks, their
-- name, kind. Returns {'made'|'same'|'differs'|'busy', the record of that job},
-- or {'locked', the person's lock}.
local id, request, signature, state, project = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local changes, host, confirm_ms, unavailable = ARGV[6] == '1', ARGV[7], ARGV[8], ARGV[9]
local idempotency, fingerprint, front_end, watch = ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local confirmation = ARGV[14]
local key = job_key(id)

local function answer(what, found) return {what, redis.call('HGETALL', job_key(found))} end

if redis.call('EXISTS', key) == 1 then return answer('same', id) end
if idempotency ~= '' then
  local known = redis.call('HMGET', 'scar:idempotency:' .. idempotency, 'id', 'fingerprint')
  if known[1] and redis.call('EXISTS', job_key(known[1])) == 1 then
    return answer(known[2] == fingerprint and 'same' or 'differs', known[1])
  end
end
if changes and locked(project) then return {'locked', locked(project)} end
if changes and state == 'queued' then
  local holder = hold(project, id)
  if holder then return answer('busy', holder) end
end

redis.call('HSET', key, 'request', request, 'signature', signature, 'state', state,
  'attempt', 0, 'fence', 0, 'batch', 0, 'seq', 0, 'rung', now, 'host', host,
  'confirm_ms', confirm_ms, 'expires', ARGV[15])
if project ~= '' then redis.call('HSET', key, 'project', project) end
if confirmation ~= '' then redis.call('HSET', key, 'confirmation', confirmation) end
if state == 'awaiting_confirmation' then
  -- The time to answer begins with the question, once a worker has planned.
  redis.call('HSET', key, 'confirm_until', ARGV[15])
end
local data = {state = state}
if unheard(host) then
  redis.call('HSET', key, 'error', unavailable)
  data.error = cjson.decode(unavailable)
end
emit(id, 'job', cjson.encode(data))
redis.call('ZADD', 'scar:open', now, id)
redis.call('ZADD', 'scar:jobs', 0, id)
if project ~= '' then redis.call('ZADD', 'scar:jobs:' .. project, 0, id) end
if idempotency ~= '' then
  redis.call('HSET', 'scar:idempotency:' .. idempotency, 'id', id, 'fingerprint', fingerprint)
  redis.call('EXPIRE', 'scar:idempotency:' .. idempotency, 86400)
end
if front_end ~= '' then redis.call('HSET', 'scar:watches:' .. front_end, id, watch) end
trail(ARGV[16], ARGV[17], ARGV[18], project, id, 'accepted')
return answer('made', id)
