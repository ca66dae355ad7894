-- Ends a job that has not begun, or asks the worker that runs it to stop. ARGV: id, sealed
-- cancellation, retention in milliseconds; the audit trail's end, its next line and its end then.
-- Returns {'tip', end} where the trail has another end, or {state after}: 'settled' where a running
-- job cannot be stopped any more, '' where there is no job. A queued job that was begun before counts
-- as running: the worker that claims it next has to bring it to an end.
local id, cancellation, retention, tip, line, next_tip = unpack(ARGV)
local key = job_key(id)
local state, settled, attempt = unpack(redis.call('HMGET', key, 'state', 'settled', 'attempt'))
if not state then return {''} end
if state == 'queued' and tonumber(attempt) > 0 then state = 'running' end
if state == 'running' and settled then return {'settled'} end
if state == 'running' then
  redis.call('HSET', key, 'cancellation', cancellation)
elseif not ended(state) then
  local moved = trail_moved(tip)
  if moved then return moved end
  trail(line, next_tip)
  redis.call('HSET', key, 'cancellation', cancellation)
  close(id, 'cancelled', retention)
  redis.call('HSET', key, 'rung', now)
  redis.call('ZADD', 'scar:cancelled', now, id)
  emit(id, {state = 'cancelled'}, 'cancellation', cancellation)
  return {'cancelled'}
end
return {state}
