-- Writes what the worker of a job reports, each batch once. ARGV: id, fencing number, batch number
-- (counts up by one), retention in milliseconds, end state ('' while it goes on), JSON list of events,
-- their count, their signature, JSON object of fields to set; the audit trail's end, its next line and
-- its end then. Returns {'tip', end} where the trail has another end, {'written'}, or {'lost'} once
-- another worker has claimed the job.
local id, fence, batch, retention, final = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local events, count, seal, fields = unpack(ARGV, 6, 9)
local tip, line, next_tip = unpack(ARGV, 10, 12)
local key = job_key(id)
local job = redis.call('HMGET', key, 'fence', 'batch', 'state')
if job[1] ~= fence then return {'lost'} end
if tonumber(job[2]) >= batch then return {'written'} end
if ended(job[3]) then return {'lost'} end
local planned = final == 'awaiting_confirmation'
if final ~= '' and not planned then
  local moved = trail_moved(tip)
  if moved then return moved end
  trail(line, next_tip)
end
for name, value in pairs(cjson.decode(fields)) do redis.call('HSET', key, name, value) end
redis.call('HSET', key, 'batch', batch)
local confirm_until
if planned then
  -- The job is planned: it can be confirmed from now on, for `confirm_ms`.
  confirm_until = string.format('%.0f', now + redis.call('HGET', key, 'confirm_ms'))
  redis.call('HSET', key, 'state', final, 'confirm_until', confirm_until, 'attempt', 0)
  redis.call('HDEL', key, 'lease', 'claim', 'confirmation', 'cancellation', 'steps', 'started')
  release(id)
end
if tonumber(count) > 0 then emit_batch(id, batch, events, count, seal, confirm_until) end
if final ~= '' and not planned then
  close(id, final, retention)
end
return {'written'}
