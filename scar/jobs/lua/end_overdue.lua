-- Ends a job that the sweep has found overdue, unless it goes on again. ARGV: id, reason ('lost',
-- 'unanswered', 'untaken', 'no_room'), state, sealed end, retention in milliseconds, attempts allowed;
-- the audit trail's end, its next line and its end then. Returns {'tip', end} where the trail has
-- another end, {'ended'} or {'goes on'}.
local id, reason, final, sealed, retention, attempts = unpack(ARGV, 1, 6)
local tip, line, next_tip = unpack(ARGV, 7, 9)
local key = job_key(id)
local job = redis.call('HMGET', key, 'state', 'lease', 'attempt', 'confirm_until', 'expires')
local state, lease, attempt = job[1], tonumber(job[2] or '0'), tonumber(job[3] or '0')
local overdue = reason == 'lost' and state == 'running' and (lease or 0) < tonumber(now)
    and attempt >= tonumber(attempts)
  or reason == 'unanswered' and state == 'awaiting_confirmation' and (tonumber(job[4] or '0') or 0) < tonumber(now)
  or (reason == 'untaken' or reason == 'no_room') and state == 'queued' and attempt == 0
    and (tonumber(job[5] or '0') or 0) < tonumber(now)
if not overdue then return {'goes on'} end
local moved = trail_moved(tip)
if moved then return moved end
trail(line, next_tip)
redis.call('HINCRBY', key, 'fence', 1)
redis.call('HSET', key, 'swept', sealed)
close(id, final, retention)
emit(id, {state = final}, 'swept', sealed)
return {'ended'}
