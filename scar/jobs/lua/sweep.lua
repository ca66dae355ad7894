-- Looks over the open jobs. ARGV: key prefix of the queues, lease in milliseconds, attempts allowed,
-- limits of a host's slots (JSON).
-- Returns three lists: {id, host, ...} of the jobs that workers have to be notified of again, {id,
-- reason, ...} of those that have to be ended, which needs a signature ('lost', 'unanswered',
-- 'untaken', 'no_room'), and {id, ...} of those whose records cannot be read, and are left alone.
local prefix, lease, attempts = ARGV[1], ARGV[2], tonumber(ARGV[3])
local limits = cjson.decode(ARGV[4])

-- Where nothing swept for a while, Redis or all of SCAR was away: workers get one lease to come back.
local last = until_when(redis.call('GET', 'scar:sweep:last'), LEASE)
if now - last > 5000 then redis.call('SET', 'scar:sweep:grace', string.format('%.0f', now + lease)) end
redis.call('SET', 'scar:sweep:last', now)
local in_grace = until_when(redis.call('GET', 'scar:sweep:grace'), LEASE) > tonumber(now)

local lengths = {}
local function queue_length(host)
  if lengths[host] == nil then
    local length = redis.pcall('LLEN', prefix .. 'host.' .. host)
    lengths[host] = type(length) == 'number' and length or 0  -- where it is no list
  end
  return lengths[host]
end

local notify, overdue, spoilt = {}, {}, {}
local function wake(id, host)
  notify[#notify + 1] = id
  notify[#notify + 1] = host
end
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

local function look_at(id)
  local key = job_key(id)
  local job = redis.call('HMGET', key, 'state', 'lease', 'attempt', 'rung', 'host', 'plan',
    'confirm_until', 'expires')
  local state, host = job[1], job[5]
  local is_leased = until_when(job[2], LEASE) >= tonumber(now)
  local age = now - until_when(job[4], LEASE)  -- of the last notification
  -- Bounded: the notifications for a host without a worker would pile up on its queue.
  local unnoticed = host and (age > 30000 and queue_length(host) < 100
    or age > 2000 and queue_length(host) == 0)
  if not state or ended(state) then
    redis.call('ZREM', 'scar:open', id)
  elseif state == 'running' then
    if not is_leased and not in_grace then
      if (tonumber(job[3] or '0') or 0) >= attempts then
        is_overdue(id, 'lost')
      elseif host then
        redis.call('HINCRBY', key, 'fence', 1)
        redis.call('HSET', key, 'state', 'queued', 'rung', now)
        redis.call('HDEL', key, 'lease', 'claim')
        emit(id, {state = 'queued'})
        wake(id, host)
      end
    end
  elseif state == 'awaiting_confirmation' and until_when(job[7], ANSWER) < tonumber(now) then
    is_overdue(id, 'unanswered')
  -- A job that was begun (attempt > 0) never expires: a worker has to bring it to an end.
  elseif state == 'queued' and job[3] == '0' and job[8]
    and until_when(job[8], BEGINNING) < tonumber(now) then
    is_overdue(id, is_waiting(id, host) and 'no_room' or 'untaken')
  elseif state == 'queued' and is_waiting(id, host) then
    -- It is woken when it is its turn.
  elseif unnoticed and (state == 'queued' or (not job[6] and not is_leased)) then
    redis.call('HSET', key, 'rung', now)
    wake(id, host)
  end
end

-- Of more than a thousand open jobs, another thousand each second: many that were planted keep nobody
-- from looking at the others.
local window = 1000
local windows = math.max(1, math.ceil(redis.call('ZCARD', 'scar:open') / window))
local first = math.floor(now / 1000) % windows * window
for _, id in ipairs(redis.call('ZRANGE', 'scar:open', first, first + window - 1)) do
  if not pcall(look_at, id) then  -- it is no hash, or something in it no number
    redis.call('ZREM', 'scar:open', id)
    spoilt[#spoilt + 1] = id
  end
end
-- Hosts that do not know yet that a job of theirs was cancelled. Once its request is too old to be
-- begun, it does not matter any more.
for _, id in ipairs(redis.call('ZRANGE', 'scar:cancelled', 0, 99)) do
  local job = redis.pcall('HMGET', job_key(id), 'state', 'host', 'noted', 'rung', 'finished')
  if job.err then job = {} end
  local state, host = job[1], job[2]
  local age, ended_for = now - until_when(job[4], LEASE), now - until_when(job[5], LEASE)
  if state ~= 'cancelled' or not host or job[3] or ended_for > 16 * 60000 then
    redis.call('ZREM', 'scar:cancelled', id)
  elseif age > 2000 and queue_length(host) == 0 then
    redis.call('HSET', job_key(id), 'rung', now)
    wake(id, host)
  end
end
for host in pairs(waiting_on) do
  local done, id = pcall(whose_turn, host, limits)
  if done and id and queue_length(host) == 0 then wake(id, host) end
end
return {notify, overdue, spoilt}
