-- Ends a job that the sweep has found overdue, unless it goes on again. ARGV: id, reason ('lost',
-- 'unanswered', 'untaken', 'no_room'), state, sealed end, retention in milliseconds, attempts allowed;
-- the audit trail's end, its next line and its end then. Returns {'tip', end} where the trail has
-- another end, {'ended'} or {'goes on'}.
local id, reason, final, sealed, retention, attempts = unpack(ARGV, 1, 6)
local tip, line, next_tip = unpack(ARGV, 7, 9)
local key = job_key(id)
local job = redis.call('HMGET', key, 'state', 'lease', 'attempt', 'confirm_until', 'expires')
local state, attempt = job[1], tonumber(job[3] or '0') or 0
local overdue = reason == 'lost' and state == 'running' and until_when(job[2], LEASE) < tonumber(now)
    and attempt >= tonumber(attempts)
  or reason == 'unanswered' and state == 'awaiting_confirmation' and until_when(job[4], ANSWER) < tonumber(now)
  or (reason == 'untaken' or reason == 'no_room') and state == 'queued' and attempt == 0
    and until_when(job[5], BEGINNING) < tonumber(now)
if not overdue then return {'goes on'} end
local moved = trail_moved(tip)
if moved then return moved end
trail(line, next_tip)
if not pcall(redis.call, 'HINCRBY', key, 'fence', 1) then redis.call('HSET', key, 'fence', now) end
redis.call('HSET', key, 'swept', sealed)
close(id, final, retention)
emit(id, {state = final}, 'swept', sealed)
return {'ended'}
