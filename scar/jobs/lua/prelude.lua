-- Shared by every script. `now` is Redis' own clock, in milliseconds: no client's clock counts.
--
-- Records of the version before are read and their keys and hash fields have kept their names:
-- 'scar:hold:<resource>' is the lock on a resource, 'holds' the resources that a job locks,
-- 'respects' those it requires free, 'rung' when a worker was last notified of it.
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))

-- Nothing that SCAR writes lies further in the future: a lease is for 10 s, a worker's sign of life
-- for less, an answer is waited for 30 days at most. What lies there was planted, and counts as past.
local function until_when(text, longest)
  local at = tonumber(text or '0')
  if not at or at ~= at or at < 0 or at > now + longest then return 0 end
  return at
end
local LEASE, BEGINNING, DAY, ANSWER = 60000, 3600000, 86400000, 30 * 86400000

local function job_key(id) return 'scar:job:' .. id end

-- Appends an entry that holds `count` events to the stream of the job; its id is the number of the
-- last of them. Where the record counts fewer events than the stream has (somebody wrote there, or
-- Redis lost a part), the entry goes behind them: one spoilt job must not stop the sweep of all.
local function append(id, count, entry)
  local key = job_key(id)
  local seq = redis.call('HINCRBY', key, 'seq', count)
  local added = redis.pcall('XADD', key .. ':events', seq .. '-0', unpack(entry))
  if type(added) == 'table' and added.err then
    local newest = redis.pcall('XREVRANGE', key .. ':events', '+', '-', 'COUNT', 1)
    if newest.err or not newest[1] then return end  -- something else is there: nobody can read it
    local last = newest[1]
    seq = tonumber(string.match(last[1], '^%d+')) + count
    redis.call('HSET', key, 'seq', string.format('%.0f', seq))
    redis.call('XADD', key .. ':events', string.format('%.0f', seq) .. '-0', unpack(entry))
  end
end

-- Appends an event about the job's state to its stream. No script can sign: a state that ends the
-- job needs `proof`, which says by name what was signed ('swept' or 'cancellation'), and `sealed`.
local function emit(id, data, proof, sealed)
  local entry = {'type', 'job', 'at', now, 'data', cjson.encode(data)}
  if proof then
    entry[7], entry[8] = proof, sealed
  end
  append(id, 1, entry)
end

-- Appends a batch of `count` events (JSON) that a worker has signed.
local function emit_batch(id, number, events, count, seal, confirm_until)
  local entry = {'at', now, 'batch', number, 'events', events, 'seal', seal}
  if confirm_until then
    entry[9], entry[10] = 'confirm_until', confirm_until
  end
  append(id, count, entry)
end

local function ended(state)
  return state ~= 'awaiting_confirmation' and state ~= 'queued' and state ~= 'running'
end

-- Emits the job's state as it waits for a worker, and notes whether none listens for its host.
local function emit_waiting(id, state)
  local key = job_key(id)
  local host = redis.call('HGET', key, 'host')
  local unavailable = redis.call('ZCOUNT', 'scar:workers:' .. host, now, now + DAY) == 0
  if unavailable then
    redis.call('HSET', key, 'unavailable', '1')
  else
    redis.call('HDEL', key, 'unavailable')
  end
  emit(id, {state = state, unavailable = unavailable or nil})
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
  if job[1] then
    local read, resources = pcall(cjson.decode, job[1])
    local names = {}
    for _, resource in ipairs(read and type(resources) == 'table' and resources or {}) do
      if type(resource) == 'string' then names[#names + 1] = resource end
    end
    return #names > 0 and cjson.encode(names) or '[]'
  end
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

-- The lock of a person (sealed) that keeps jobs from locking any of `locks` (a JSON list), or nil. No
-- person's lock is on a workspace: it is not production.
local function persons_lock(locks)
  for _, resource in ipairs(cjson.decode(locks)) do
    if not string.find(resource, '^workspace:') then
      for _, project in ipairs({'*', resource}) do
        local lock = redis.call('HGET', 'scar:locks', project)
        if lock and string.sub(lock, 1, 7) == 'locked ' then return lock end
      end
    end
  end
  return nil
end

-- Where the audit trail has another end than the writer knows, its end: the writer chains its line
-- to that and tries again. Else nil.
local function trail_moved(tip)
  local actual = redis.call('GET', 'scar:audit:tip') or ''
  if actual == tip then return nil end
  return {'tip', actual}
end

-- Appends a line (sealed) to the audit trail, which then ends with `tip`. It comes before the other
-- writes of a script: where it cannot be written, nothing is done.
local function trail(line, tip)
  redis.call('XADD', 'scar:audit', 'MAXLEN', '~', 100000, '*', 'line', line)
  redis.call('SET', 'scar:audit:tip', tip)
end

-- Adds to a counter of /metrics (scar/jobs/counters.py). Where the hash is spoilt, nothing is counted:
-- no job's end may depend on it.
local function add_count(field, by) redis.pcall('HINCRBYFLOAT', 'scar:counters', cjson.encode(field), by) end

-- Counts how long a job waited for a worker, in milliseconds, in classes of seconds.
local function count_wait(waited)
  local class = '+Inf'
  for _, bound in ipairs({'0.1', '0.5', '1', '2.5', '5', '15', '60', '300'}) do
    if waited <= tonumber(bound) * 1000 then class = bound break end
  end
  add_count({'queue_wait_seconds', 'le', class}, 1)
  add_count({'queue_wait_seconds', 'sum'}, string.format('%.3f', waited / 1000))
end

-- Counts the end of a job by its kind; of a record that nobody can read, nothing.
local function count_end(id, state)
  local read, request = pcall(cjson.decode, redis.call('HGET', job_key(id), 'request') or '')
  local kind = read and type(request) == 'table' and request.kind
  if type(kind) == 'string' and #kind <= 40 then add_count({'jobs_ended', kind, state}, 1) end
end

-- Ends the job: state, locks, index of open jobs and expiry of its keys.
local function close(id, state, retention)
  local key = job_key(id)
  count_end(id, state)
  redis.call('HSET', key, 'state', state, 'finished', now)
  redis.call('ZREM', 'scar:open', id)
  release(id)
  redis.call('PEXPIRE', key, retention)
  redis.call('PEXPIRE', key .. ':events', retention)
end
