-- Looks over the open jobs. ARGV: key prefix of the queues, lease in milliseconds, attempts allowed,
-- limits of a host's slots (JSON).
-- Returns two lists: {id, host, ...} of the jobs that workers have to be notified of again, and {id,
-- reason, ...} of those that have to be ended, which needs a signature: 'lost', 'unanswered',
-- 'untaken', 'no_room'.
local prefix, lease, attempts = ARGV[1], ARGV[2], tonumber(ARGV[3])
local limits = cjson.decode(ARGV[4])

-- Where nothing swept for a while, Redis or all of SCAR was away: workers get one lease to come back.
local last = tonumber(redis.call('GET', 'scar:sweep:last') or '0')
if now - last > 5000 then redis.call('SET', 'scar:sweep:grace', string.format('%.0f', now + lease)) end
redis.call('SET', 'scar:sweep:last', now)
local in_grace = tonumber(redis.call('GET', 'scar:sweep:grace') or '0') > tonumber(now)

local lengths = {}
local function queue_length(host)
  if lengths[host] == nil then lengths[host] = redis.call('LLEN', prefix .. 'host.' .. host) end
  return lengths[host]
end

local notify, overdue = {}, {}
local waiting_on = {}
local function is_waiting(id, host)
  if not host or redis.call('HEXISTS', 'scar:waiting:' .. host, id) == 0 then return false end
  waiting_on[host] = true
  return true
end
local function is_overdue(id, reason)
  overdue[#overdue + 1] = id
  overdue[#overdue + 1] = reason
end

for _, id in ipairs(redis.call('ZRANGE', 'scar:open', 0, 999)) do
  local key = job_key(id)
  local job = redis.pcall('HMGET', key, 'state', 'lease', 'attempt', 'rung', 'host', 'plan',
    'confirm_until', 'expires')
  if job.err then job = {} end  -- the key is no hash: something else wrote it
  local state, leased, host = job[1], tonumber(job[2] or '0') or 0, job[5]
  local age = now - (tonumber(job[4] or '0') or 0)  -- of the last notification
  -- Bounded: the notifications for a host without a worker would pile up on its queue.
  local unnoticed = host and (age > 30000 and queue_length(host) < 100
    or age > 2000 and queue_length(host) == 0)
  if not state or ended(state) then
    redis.call('ZREM', 'scar:open', id)
  elseif state == 'running' then
    if leased < tonumber(now) and not in_grace then
      if (tonumber(job[3] or '0') or 0) >= attempts then
        is_overdue(id, 'lost')
      else
        redis.call('HSET', key, 'state', 'queued', 'rung', now)
        redis.call('HDEL', key, 'lease', 'claim')
        redis.call('HINCRBY', key, 'fence', 1)
        emit(id, {state = 'queued'})
        notify[#notify + 1] = id
        notify[#notify + 1] = host
      end
    end
  elseif state == 'awaiting_confirmation' and (tonumber(job[7] or '0') or 0) < tonumber(now) then
    is_overdue(id, 'unanswered')
  -- A job that was begun (attempt > 0) never expires: a worker has to bring it to an end.
  elseif state == 'queued' and job[3] == '0' and job[8]
    and (tonumber(job[8]) or 0) < tonumber(now) then
    is_overdue(id, is_waiting(id, host) and 'no_room' or 'untaken')
  elseif state == 'queued' and is_waiting(id, host) then
    -- It is woken when it is its turn.
  elseif unnoticed and (state == 'queued' or (not job[6] and leased < tonumber(now))) then
    redis.call('HSET', key, 'rung', now)
    notify[#notify + 1] = id
    notify[#notify + 1] = host
  end
end
-- Hosts that do not know yet that a job of theirs was cancelled. Once its request is too old to be
-- begun, it does not matter any more.
for _, id in ipairs(redis.call('ZRANGE', 'scar:cancelled', 0, 99)) do
  local job = redis.pcall('HMGET', job_key(id), 'state', 'host', 'noted', 'rung', 'finished')
  if job.err then job = {} end
  local state, host = job[1], job[2]
  local age, ended_for = now - (tonumber(job[4] or '0') or 0), now - (tonumber(job[5] or '0') or 0)
  if state ~= 'cancelled' or not host or job[3] or ended_for > 16 * 60000 then
    redis.call('ZREM', 'scar:cancelled', id)
  elseif age > 2000 and queue_length(host) == 0 then
    redis.call('HSET', job_key(id), 'rung', now)
    notify[#notify + 1] = id
    notify[#notify + 1] = host
  end
end
for host in pairs(waiting_on) do
  local id = queue_length(host) == 0 and whose_turn(host, limits)
  if id then
    notify[#notify + 1] = id
    notify[#notify + 1] = host
  end
end
return {notify, overdue}
