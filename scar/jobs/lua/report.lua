-- Writes what the worker of a job reports, each batch once. ARGV: id, fencing number, batch number
-- (counts up by one), retention in milliseconds, end state ('' while it goes on), JSON list of
-- [type, data] events, JSON object of fields to set. Returns 1, or 0 once another worker has claimed
-- the job.
local id, fence, batch, retention, final = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local events, fields = ARGV[6], ARGV[7]
local key = job_key(id)
local job = redis.call('HMGET', key, 'fence', 'batch', 'state')
if job[1] ~= fence then return 0 end
if tonumber(job[2]) >= batch then return 1 end
if ended(job[3]) then return 0 end
for name, value in pairs(cjson.decode(fields)) do redis.call('HSET', key, name, value) end
redis.call('HSET', key, 'batch', batch)
for _, event in ipairs(cjson.decode(events)) do emit(id, event[1], event[2]) end
if final == 'awaiting_confirmation' then
  -- The job is planned: it can be confirmed from now on, for `confirm_ms`.
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
