-- Writes a job, once. ARGV: id, request, signature, state, project ('' for none), what it locks and
-- what it requires free (JSON lists), host, confirm milliseconds, idempotency key ('' for none),
-- fingerprint of the request, subscribing front-end ('' for none), place, sealed subscription,
-- confirmation ('' for none), expiry in milliseconds since the epoch, limits of the host's slots (JSON);
-- the audit trail's end, its next line and its end then. Returns {'tip', end} where the trail has
-- another end, {'made'|'same'|'differs'|'busy', the record of that job}, {'locked', the person's lock},
-- or {'full', {'person'|'host', the ids of the long jobs that leave no room}}.
local id, request, signature, state, project = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local locks, requires_free, host, confirm_ms = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local idempotency, fingerprint, front_end, place, subscription = unpack(ARGV, 10, 14)
local confirmation, expires, limits, tip, line, next_tip = unpack(ARGV, 15, 20)
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
limits = cjson.decode(limits)
local class, person = class_of(request, limits)
local is_long = class == 'long_read' or class == 'long_change'
local full = is_long and too_many_long(host, class, person, limits)
if full then return {'full', full} end
local moved = trail_moved(tip)
if moved then return moved end
if state == 'queued' then
  local holder = acquire(id, locks, requires_free)
  if holder then return answer('busy', holder) end
end

trail(line, next_tip)
redis.call('HSET', key, 'request', request, 'signature', signature, 'state', state,
  'attempt', 0, 'fence', 0, 'batch', 0, 'seq', 0, 'rung', now, 'queued_at', now, 'host', host,
  'confirm_ms', confirm_ms, 'expires', expires, 'holds', locks, 'respects', requires_free)
if project ~= '' then redis.call('HSET', key, 'project', project) end
if confirmation ~= '' then redis.call('HSET', key, 'confirmation', confirmation) end
if state == 'awaiting_confirmation' then
  -- Until a worker has planned; the time to confirm begins then.
  redis.call('HSET', key, 'confirm_until', expires)
end
if is_long then redis.call('HSET', 'scar:long:' .. host, id, class .. ' ' .. person) end
emit_waiting(id, state)
redis.call('ZADD', 'scar:open', now, id)
redis.call('ZADD', 'scar:jobs', 0, id)
if project ~= '' then redis.call('ZADD', 'scar:jobs:' .. project, 0, id) end
if cjson.decode(request).changes then
  redis.call('ZADD', 'scar:jobs-changing', 0, id)
  if project ~= '' then redis.call('ZADD', 'scar:jobs-changing:' .. project, 0, id) end
end
if idempotency ~= '' then
  redis.call('HSET', 'scar:idempotency:' .. idempotency, 'id', id, 'fingerprint', fingerprint)
  redis.call('EXPIRE', 'scar:idempotency:' .. idempotency, 86400)
end
if front_end ~= '' then
  redis.call('HSET', 'scar:watches:' .. front_end, id .. ' ' .. place, subscription)
end
return answer('made', id)
