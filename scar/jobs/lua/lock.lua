-- Locks or releases a project. ARGV: project, record, the word that the record before must begin with
-- ('released': or there is none). Returns the record before, ' ' for none, or '' where nothing is done.
local before = redis.call('HGET', 'scar:locks', ARGV[1]) or ' '
local word = string.match(before, '^(%S*)')
if word == '' and ARGV[3] == 'released' then word = 'released' end
if word ~= ARGV[3] then return '' end
redis.call('HSET', 'scar:locks', ARGV[1], ARGV[2])
return before
