-- Writes a job again that a worker had begun: one that Redis has lost, or that its host has open
-- while Redis says something else. ARGV: id, request, signature, project ('' for none), host, confirmation,
-- expiry in milliseconds since the epoch, what it locks (JSON list), '1' to replace the
-- record that is there; the audit trail's end, its next line and its end then. Returns {'tip', end} where the trail
-- has another end, {'restored'}, or {'there'} where the job is there, or another has locked the same.
local id, request, signature, project, host = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local confirmation, expires, locks, replace = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local tip, line, next_tip = ARGV[10], ARGV[11], ARGV[12]
local key = job_key(id)
-- A number that somebody else wrote is counted on from only where it can be counted on from.
local function counted(text, otherwise)
  local number = tonumber(text or '')
  if not number or number ~= math.floor(number) or number < 0 or number > 2^52 then return otherwise end
  return string.format('%.0f', number)
end
local state, fence, seq = unpack(redis.call('HMGET', key, 'state', 'fence', 'seq'))
if state and replace ~= '1' then return {'there'} end
if redis.call('GET', 'scar:audit:tip') == next_tip then return {'restored'} end  -- run twice
local moved = trail_moved(tip)
if moved then return moved end
if acquire(id, locks, '[]') then return {'there'} end
trail(line, next_tip)
redis.call('ZREM', 'scar:cancelled', id)
redis.call('PERSIST', key)
redis.call('PERSIST', key .. ':events')
redis.call('HDEL', key, 'end', 'swept', 'cancellation', 'noted', 'settled', 'lease', 'claim', 'finished')
redis.call('HSET', key, 'request', request, 'signature', signature, 'state', 'queued',
  'attempt', 1, 'fence', counted(fence, now) + 1, 'batch', 0, 'seq', counted(seq, 0), 'rung', now,
  'host', host, 'confirm_ms', 0, 'confirmation', confirmation, 'expires', expires, 'holds', locks,
  'respects', '[]')
if project ~= '' then redis.call('HSET', key, 'project', project) end
emit(id, {state = 'queued'})
redis.call('ZADD', 'scar:open', now, id)
redis.call('ZADD', 'scar:jobs', 0, id)
if project ~= '' then redis.call('ZADD', 'scar:jobs:' .. project, 0, id) end
redis.call('ZADD', 'scar:jobs-changing', 0, id)  -- what only reads is not restored
if project ~= '' then redis.call('ZADD', 'scar:jobs-changing:' .. project, 0, id) end
return {'restored'}
