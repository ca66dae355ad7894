-- Gives the lease on a job to one worker. ARGV: id, worker, claim (a nonce: asking twice with the
-- same one gives the same answer), lease in milliseconds, limits of the host's slots (JSON). A queued
-- job is claimed to run, if it has a slot; one that awaits its confirmation and has no plan yet is
-- claimed to plan; one that was cancelled before it began, so that the host knows. Returns {purpose,
-- request, signature, fencing number, attempt, confirmation or '', cancellation or ''}, or nil.
local id, worker, claim, lease = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local key = job_key(id)
local job = redis.call('HMGET', key, 'state', 'claim', 'lease', 'plan', 'started', 'confirmation')
local state, claimed, leased, plan, started, confirmation = unpack(job)
if not state then return nil end

local purpose
if state == 'queued' then
  purpose = 'run'
  local host, request = unpack(redis.call('HMGET', key, 'host', 'request'))
  if not take_slot(id, host or '', request, cjson.decode(ARGV[5])) then return nil end
elseif state == 'awaiting_confirmation' and not plan then
  purpose = 'plan'
  if leased and tonumber(leased) > tonumber(now) and claimed ~= claim then return nil end
elseif state == 'running' and claimed == claim then
  purpose = 'run'
elseif state == 'cancelled' and not redis.call('HGET', key, 'noted') then
  purpose = 'cancelled'
else
  return nil
end

if claimed ~= claim and purpose ~= 'cancelled' then
  redis.call('HSET', key, 'claim', claim, 'worker', worker, 'batch', 0,
    'lease', string.format('%.0f', now + lease))
  redis.call('HDEL', key, 'unavailable')
  redis.call('HINCRBY', key, 'fence', 1)
  if purpose == 'run' then
    local attempt = redis.call('HINCRBY', key, 'attempt', 1)
    redis.call('HSET', key, 'state', 'running')
    if not started then
      redis.call('HSET', key, 'started', now)
      local queued = tonumber(redis.call('HGET', key, 'queued_at') or '')
      if queued then count_wait(math.max(0, now - queued)) end
    end
    emit(id, {state = 'running', attempt = attempt})
  end
end
local record = redis.call('HMGET', key, 'request', 'signature', 'fence', 'attempt', 'cancellation')
local request, signature, fence, attempt, cancellation = unpack(record)
return {purpose, request, signature, fence, attempt, confirmation or '', cancellation or ''}
