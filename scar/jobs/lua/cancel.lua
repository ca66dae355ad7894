-- Stops a job that has not begun, or asks the worker that runs it to stop. ARGV: id, sealed
-- cancellation, retention in milliseconds, error. Returns the state after, 'settled' where it
-- runs and cannot be stopped any more, or nil. One that was begun and cut off is settled by whoever
-- takes it up: it counts as running.
local id = ARGV[1]
local found = redis.call('HMGET', job_key(id), 'state', 'settled', 'attempt')
local state = found[1]
if not state then return nil end
if state == 'queued' and tonumber(found[3]) > 0 then state = 'running' end
if state == 'running' and found[2] then return 'settled' end
if state == 'running' then
  redis.call('HSET', job_key(id), 'cancellation', ARGV[2])
elseif not ended(state) then
  close(id, 'cancelled', ARGV[3], ARGV[4])
  return 'cancelled'
end
return state
