-- Shared by the scripts that bound what runs at once on a host, `limits` (JSON) says how much. Jobs
-- that only read and long ones need a slot; a short changing job needs none.
--
-- 'scar:slots:<host>', 'scar:waiting:<host>' and 'scar:long:<host>', hashes of '<class> <person>' by
-- job: those that were given a slot, those that were woken and got none, and the long ones that are
-- open. They are checked against the records when they are read: no end of a job has to tidy up.

-- Returns the class of a job ('read', 'long_read', 'long_change', or nil where it needs no slot)
-- and the person who asked for it.
local function class_of(text, limits)
  local read, request = pcall(cjson.decode, text or '')
  if not read or type(request) ~= 'table' then return nil end
  local by = type(request.requested_by) == 'table' and request.requested_by or {}
  local person = tostring(by.frontend) .. ':' .. tostring(by.id)
  local long = false
  for _, kind in ipairs(limits.long_kinds) do long = long or kind == request.kind end
  if request.changes then return long and 'long_change' or nil, person end
  return long and 'long_read' or 'read', person
end

-- Whether there is a job of the host by that id: what is none was planted, and no worker would ever
-- take it.
local function is_of_host(id, host)
  if #id ~= 26 or not string.match(id, '^[0-9A-HJKMNP-TV-Z]+$') then return false end
  local job = redis.pcall('HMGET', job_key(id), 'state', 'host')
  return not job.err and job[1] and job[2] == host
end

-- Returns {{id, class, person}, ...} of one of the three hashes; what `is_over` names is removed.
local function entries_of(name, host, is_over)
  local key, entries = 'scar:' .. name .. ':' .. host, {}
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local class, person = string.match(fields[i + 1], '^(%S+) (.*)$')
    if not class or not is_of_host(fields[i], host) or is_over(fields[i]) then
      redis.call('HDEL', key, fields[i])
    else
      entries[#entries + 1] = {fields[i], class, person}
    end
  end
  return entries
end

-- Counts the slots that are taken on a host: of all classes, of each, and of each person's reads.
local function slots_taken(host)
  local taken = {all = 0, read = 0, long_read = 0, long_change = 0, of = {}, long_of = {}}
  local function is_over(id)
    local state, lease = unpack(redis.call('HMGET', job_key(id), 'state', 'lease'))
    return state ~= 'running' or until_when(lease, LEASE) < tonumber(now)
  end
  for _, entry in ipairs(entries_of('slots', host, is_over)) do
    local _, class, person = unpack(entry)
    taken.all = taken.all + 1
    taken[class] = (taken[class] or 0) + 1
    if class ~= 'long_change' then taken.of[person] = (taken.of[person] or 0) + 1 end
    if class == 'long_read' then taken.long_of[person] = (taken.long_of[person] or 0) + 1 end
  end
  return taken
end

local function has_slot(taken, class, person, limits)
  if taken.all >= limits.all then return false end
  if class ~= 'read' then
    if taken.long_read + taken.long_change >= limits.long then return false end
    if (taken[class] or 0) >= limits.long_of_class then return false end
  end
  if class == 'long_read' and (taken.long_of[person] or 0) >= limits.long_reads_of_person then
    return false
  end
  return class == 'long_change' or (taken.of[person] or 0) < limits.reads_of_person
end

-- Returns the waiting job of a host whose turn it is, nil where none has a slot: a changing job,
-- else one of the person with the fewest slots, of those the oldest (ids sort by time).
local function whose_turn(host, limits)
  local waiting = redis.call('HGETALL', 'scar:waiting:' .. host)
  if #waiting == 0 then return nil end
  local taken, over = slots_taken(host), {}
  while true do
    local first, rank
    for i = 1, #waiting, 2 do
      local id, class, person = waiting[i], string.match(waiting[i + 1], '^(%S+) (.*)$')
      if class and not over[id] and has_slot(taken, class, person, limits) then
        local own = class == 'long_change' and -1 or taken.of[person] or 0
        if not first or own < rank or own == rank and id < first then first, rank = id, own end
      end
    end
    if not first then return nil end
    if is_of_host(first, host) and redis.call('HGET', job_key(first), 'state') == 'queued' then
      return first
    end
    over[first] = true
    redis.call('HDEL', 'scar:waiting:' .. host, first)
  end
end

-- Gives a slot to a queued job if it is its turn; else it waits, and false is returned.
local function take_slot(id, host, request, limits)
  local class, person = class_of(request, limits)
  if not class then return true end
  local entry = class .. ' ' .. person
  redis.call('HSET', 'scar:waiting:' .. host, id, entry)
  if whose_turn(host, limits) ~= id then return false end
  redis.call('HDEL', 'scar:waiting:' .. host, id)
  redis.call('HSET', 'scar:slots:' .. host, id, entry)
  return true
end

-- Returns the open jobs that leave no room for another long one, nil where there is room: first
-- 'person' or 'host', then their ids. One that was told to stop counts no more: the next begins when
-- it has.
local function too_many_long(host, class, person, limits)
  local all, own = {'host'}, {'person'}
  local function is_over(id)
    local state, cancellation = unpack(redis.call('HMGET', job_key(id), 'state', 'cancellation'))
    return ended(state) or cancellation or not redis.call('ZSCORE', 'scar:open', id)
  end
  for _, entry in ipairs(entries_of('long', host, is_over)) do
    if entry[2] == class then
      all[#all + 1] = entry[1]
      if entry[3] == person then own[#own + 1] = entry[1] end
    end
  end
  if class == 'long_read' and #own > limits.long_reads_of_person then return own end
  return #all > limits.long_of_class and all or nil
end
