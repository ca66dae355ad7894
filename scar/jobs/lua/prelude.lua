-- Shared by every script. `now` is Redis' own clock, in milliseconds: no client's clock counts.
--
-- Records of the version before are read and their keys and hash fields have kept their names:
-- 'scar:hold:<resource>' is the lock on a resource, 'holds' the resources that a job locks,
-- 'respects' those it requires free, 'rung' when a worker was last notified of it.
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))

local function job_key(id) return 'scar:job:' .. id end

-- Appends an event to the stream of the job.
local function emit(id, kind, data)
  local key = job_key(id)
  local seq = redis.call('HINCRBY', key, 'seq', 1)
  redis.call('XADD', key .. ':events', seq .. '-0', 'type', kind, 'at', now, 'data', data)
end

local function ended(state)
  return state ~= 'awaiting_confirmation' and state ~= 'queued' and state ~= 'running'
end

-- Whether no worker listens for the host.
local function without_worker(host)
  return redis.call('ZCOUNT', 'scar:workers:' .. host, now, '+inf') == 0
end

-- The open job other than `id` that has locked the resource (a project, a workspace), or nil.
local function lock_holder(resource, id)
  local holder = redis.call('GET', 'scar:hold:' .. resource)
  if not holder or holder == id then return nil end
  local state = redis.call('HGET', job_key(holder), 'state')
  return state and not ended(state) and holder or nil
end

-- Locks all of `locks` for the job `id`, unless another job has locked any of them or of
-- `requires_free` (JSON lists of resources). Returns the id of that job, or nil once all are locked.
local function acquire(id, locks, requires_free)
  local resources = cjson.decode(locks)
  for _, list in ipairs({resources, cjson.decode(requires_free)}) do
    for _, resource in ipairs(list) do
      local holder = lock_holder(resource, id)
      if holder then return holder end
    end
  end
  for _, resource in ipairs(resources) do redis.call('SET', 'scar:hold:' .. resource, id) end
  return nil
end

-- What the job locks while it is open (JSON list): one of an earlier version, the project that it
-- changes.
local function locks_of(id)
  local job = redis.call('HMGET', job_key(id), 'holds', 'project', 'request')
  if job[1] then return job[1] end
  local read, request = pcall(cjson.decode, job[3] or '')
  local changes = read and type(request) == 'table' and request.changes
  return changes and job[2] and cjson.encode({job[2]}) or '[]'
end

-- Releases what the job has locked.
local function release(id)
  for _, resource in ipairs(cjson.decode(locks_of(id))) do
    local key = 'scar:hold:' .. resource
    if redis.call('GET', key) == id then redis.call('DEL', key) end
  end
end

-- The lock of a person (JSON) that keeps jobs from locking any of `locks` (a JSON list), or nil. No
-- person's lock is on a workspace: it is not production.
local function persons_lock(locks)
  for _, resource in ipairs(cjson.decode(locks)) do
    if not string.find(resource, '^workspace:') then
      local lock = redis.call('HGET', 'scar:locks', '*') or redis.call('HGET', 'scar:locks', resource)
      if lock then return lock end
    end
  end
  return nil
end

-- Writes a line of the audit trail.
local function trail(actor, name, action, project, job, outcome)
  redis.call('XADD', 'scar:audit', 'MAXLEN', '~', 100000, '*', 'actor', actor, 'name', name,
    'action', action, 'project', project, 'job', job, 'outcome', outcome)
end

-- Ends the job: state, event, locks, index of open jobs, audit trail and expiry of its keys.
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
