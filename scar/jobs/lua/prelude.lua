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

-- The open job other than `id` that holds `name` (a project, a workspace), if there is one.
local function holder_of(name, id)
  local holder = redis.call('GET', 'scar:hold:' .. name)
  if not holder or holder == id then return nil end
  local state = redis.call('HGET', job_key(holder), 'state')
  return state and not ended(state) and holder or nil
end

-- Lets the job `id` hold all of `holds`, where nobody else holds any of them or of `respects` (JSON
-- lists of names). Returns the holder's id, or nil once they are held.
local function hold(id, holds, respects)
  local names = cjson.decode(holds)
  for _, list in ipairs({names, cjson.decode(respects)}) do
    for _, name in ipairs(list) do
      local holder = holder_of(name, id)
      if holder then return holder end
    end
  end
  for _, name in ipairs(names) do redis.call('SET', 'scar:hold:' .. name, id) end
  return nil
end

-- What the job holds while it is open (JSON list): one of an earlier version, the project that it
-- changes.
local function holds_of(id)
  local found = redis.call('HMGET', job_key(id), 'holds', 'project', 'request')
  if found[1] then return found[1] end
  local read, request = pcall(cjson.decode, found[3] or '')
  local changes = read and type(request) == 'table' and request.changes
  return changes and found[2] and cjson.encode({found[2]}) or '[]'
end

-- Gives up what the job holds.
local function release(id)
  for _, name in ipairs(cjson.decode(holds_of(id))) do
    if redis.call('GET', 'scar:hold:' .. name) == id then redis.call('DEL', 'scar:hold:' .. name) end
  end
end

-- The lock (JSON) by which a person keeps jobs from holding one of `holds` (a JSON list), or nil. A
-- workspace is nobody's production: no lock is on it.
local function locked(holds)
  for _, name in ipairs(cjson.decode(holds)) do
    if not string.find(name, '^workspace:') then
      local lock = redis.call('HGET', 'scar:locks', '*') or redis.call('HGET', 'scar:locks', name)
      if lock then return lock end
    end
  end
  return nil
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
  release(id)
  trail('scar', 'SCAR', 'ended', redis.call('HGET', key, 'project') or '', id, state)
  redis.call('PEXPIRE', key, retention)
  redis.call('PEXPIRE', key .. ':events', retention)
end
