-- Writes a job, once. ARGV: id, request, signature, state, project ('' for none), what it locks and
-- what it requires free (JSON lists), host, confirm milliseconds, error if no worker listens,
-- idempotency key ('' for none), fingerprint of the request, subscribing front-end ('' for none),
-- place, state of its message, confirmation ('' for none), expiry in milliseconds since the epoch; for the audit trail: who
-- asks, their name, kind. Returns {'made'|'same'|'differs'|'busy', the record of that job}, or
-- {'locked', the person's lock}.
local id, request, signature, state, project = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local locks, requires_free, host, confirm_ms, unavailable = ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local idempotency, fingerprint, front_end, place, message = unpack(ARGV, 11, 15)
local confirmation, expires, actor, name, kind = unpack(ARGV, 16, 20)
local key = job_key(id)

local function answer(what, job_id) return {what, redis.call('HGETALL', job_key(job_id))} end

if redis.call('EXISTS', key) == 1 then return answer('same', id) end
if idempotency ~= '' then
  local known = redis.call('HMGET', 'scar:idempotency:' .. idempotency, 'id', 'fingerprint')
  if known[1] and redis.call('EXISTS', job_key(known[1])) == 1 then
    return answer(known[2] == fingerprint and 'same' or 'differs', known[1])
  end
end
local lock = persons_lock(locks)
if lock then return {'locked', lock} end
if state == 'queued' then
  local holder = acquire(id, locks, requires_free)
  if holder then return answer('busy', holder) end
end

redis.call('HSET', key, 'request', request, 'signature', signature, 'state', state,
  'attempt', 0, 'fence', 0, 'batch', 0, 'seq', 0, 'rung', now, 'host', host,
  'confirm_ms', confirm_ms, 'expires', expires, 'holds', locks, 'respects', requires_free)
if project ~= '' then redis.call('HSET', key, 'project', project) end
if confirmation ~= '' then redis.call('HSET', key, 'confirmation', confirmation) end
if state == 'awaiting_confirmation' then
  -- Until a worker has planned; the time to confirm begins then.
  redis.call('HSET', key, 'confirm_until', expires)
end
local data = {state = state}
if without_worker(host) then
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
if front_end ~= '' then redis.call('HSET', 'scar:watches:' .. front_end, id .. ' ' .. place, message) end
trail(actor, name, kind, project, id, 'accepted')
return answer('made', id)
