-- Locks or releases a project. ARGV: project, record, the word that the record before must begin with
-- ('released': or there is none). Returns 'done', or '' where nothing is done. Run twice, since the
-- answer to the first run was lost, it is done.
local before = redis.call('HGET', 'scar:locks', ARGV[1]) or ' '
if before == ARGV[2] then return 'done' end
local word = string.match(before, '^(%S*)')
if word == '' and ARGV[3] == 'released' then word = 'released' end
if word ~= ARGV[3] then return '' end
redis.call('HSET', 'scar:locks', ARGV[1], ARGV[2])
return 'done'
