-- Writes what the holder of a job has to say, each batch once. ARGV: id, fencing number, batch
-- number (grows by one), retention in milliseconds, end state ('' while it goes on), JSON list of
-- [type, data] events, JSON object of fields to keep. Returns 1, or 0 once another has the job.
local id, fence, batch, retention, final = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local key = job_key(id)
local found = redis.call('HMGET', key, 'fence', 'batch', 'state', 'host')
if found[1] ~= fence then return 0 end
if tonumber(found[2]) >= batch then return 1 end
if ended(found[3]) then return 0 end
for name, value in pairs(cjson.decode(ARGV[7])) do redis.call('HSET', key, name, value) end
redis.call('HSET', key, 'batch', batch)
for _, event in ipairs(cjson.decode(ARGV[6])) do emit(id, event[1], event[2]) end
if final == 'awaiting_confirmation' then
  -- Planned: the question can be asked, and its time begins.
  local until_ms = string.format('%.0f', now + redis.call('HGET', key, 'confirm_ms'))
  redis.call('HSET', key, 'state', final, 'confirm_until', until_ms, 'attempt', 0)
  redis.call('HDEL', key, 'lease', 'claim', 'confirmation', 'steps', 'started')
  release(id)
  local plan = redis.call('HGET', key, 'plan_shown')
  emit(id, 'job', '{"state":"' .. final .. '","confirm_until_ms":' .. until_ms .. ',"plan":' .. plan .. '}')
elseif final ~= '' then
  close(id, final, retention)
end
return 1
