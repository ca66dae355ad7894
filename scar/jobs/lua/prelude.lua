-- Shared by every script. `now` is Redis' own clock, in milliseconds: no client's clock counts.
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))

local function job_key(id) return 'scar:job:' .. id end

local function emit(id, kind, data)
  local key = job_key(id)
  local seq = redis.call('HINCRBY', key, 'seq', 1)
  redis.call('XADD', key .. ':events', seq .. '-0', 'type', kind, 'at', now, 'data', data)
end

local function ended(state)
  return state ~= 'awaiting_confirmation' and state ~= 'queued' and state ~= 'running'
end

-- Whether no worker listens for the host.
local function unheard(host)
  return redis.call('ZCOUNT', 'scar:workers:' .. host, now, '+inf') == 0
end

-- A project is held by one open changing job at a time. Returns the holder's id, or nil once the
-- project is held for `id`.
local function hold(project, id)
  local key = 'scar:hold:' .. project
  local holder = redis.call('GET', key)
  if holder and holder ~= id then
    local state = redis.call('HGET', job_key(holder), 'state')
    if state and not ended(state) then return holder end
  end
  redis.call('SET', key, id)
  return nil
end

-- What a person holds the project by (JSON), or false.
local function locked(project)
  return redis.call('HGET', 'scar:locks', '*') or redis.call('HGET', 'scar:locks', project)
end

-- A line of the trail.
local function trail(actor, name, action, project, job, outcome)
  redis.call('XADD', 'scar:audit', 'MAXLEN', '~', 100000, '*', 'actor', actor, 'name', name,
    'action', action, 'project', project, 'job', job, 'outcome', outcome)
end

-- The last line of a job's life: its state, its hold, its place among the open ones, its expiry.
local function close(id, state, retention, error)
  local key = job_key(id)
  redis.call('HSET', key, 'state', state, 'finished', now)
  local data = {state = state}
  if error and error ~= '' then
    redis.call('HSET', key, 'error', error)
    data.error = cjson.decode(error)
  end
  emit(id, 'job', cjson.encode(data))
  redis.call('ZREM', 'scar:open', id)
  local project = redis.call('HGET', key, 'project')
  if project and redis.call('GET', 'scar:hold:' .. project) == id then
    redis.call('DEL', 'scar:hold:' .. project)
  end
  trail('scar', 'SCAR', 'ended', project or '', id, state)
  redis.call('PEXPIRE', key, retention)
  redis.call('PEXPIRE', key .. ':events', retention)
end
