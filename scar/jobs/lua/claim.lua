-- Gives a job to one worker. ARGV: id, worker, claim (a nonce: asking twice with the same one gives
-- the same answer), lease in milliseconds. A queued job is claimed to run; one that awaits its
-- confirmation and has no plan yet is claimed to plan. Returns the purpose and the record, or nil.
local id, worker, claim, lease = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local key = job_key(id)
local found = redis.call('HMGET', key, 'state', 'claim', 'lease', 'plan', 'started', 'confirmation')
local state, claimed, leased, planned = found[1], found[2], found[3], found[4]
if not state then return nil end

local purpose
if state == 'queued' then
  purpose = 'run'
elseif state == 'awaiting_confirmation' and not planned then
  purpose = 'plan'
  if leased and tonumber(leased) > tonumber(now) and claimed ~= claim then return nil end
elseif state == 'running' and claimed == claim then
  purpose = 'run'
else
  return nil
end

if claimed ~= claim then
  redis.call('HSET', key, 'claim', claim, 'worker', worker, 'batch', 0,
    'lease', string.format('%.0f', now + lease))
  redis.call('HDEL', key, 'error')
  redis.call('HINCRBY', key, 'fence', 1)
  if purpose == 'run' then
    local attempt = redis.call('HINCRBY', key, 'attempt', 1)
    redis.call('HSET', key, 'state', 'running')
    if not found[5] then redis.call('HSET', key, 'started', now) end
    emit(id, 'job', cjson.encode({state = 'running', attempt = attempt}))
  end
end
local record = redis.call('HMGET', key, 'request', 'signature', 'fence', 'attempt', 'cancellation')
return {purpose, record[1], record[2], record[3], record[4], found[6] or '', record[5] or ''}
