-- Ends a job that has not begun, or asks the worker that runs it to stop. ARGV: id, sealed
-- cancellation, retention in milliseconds, error. Returns the state after, 'settled' where a running
-- job cannot be stopped any more, or nil where there is no job. A queued job that was begun before
-- counts as running: the worker that claims it next has to bring it to an end.
local id, cancellation, retention, error = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local key = job_key(id)
local state, settled, attempt = unpack(redis.call('HMGET', key, 'state', 'settled', 'attempt'))
if not state then return nil end
if state == 'queued' and tonumber(attempt) > 0 then state = 'running' end
if state == 'running' and settled then return 'settled' end
if state == 'running' then
  redis.call('HSET', key, 'cancellation', cancellation)
elseif not ended(state) then
  close(id, 'cancelled', retention, error)
  return 'cancelled'
end
return state
