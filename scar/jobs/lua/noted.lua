-- Notes that the job's host knows of its cancellation. ARGV: id. Returns 1, or 0 where there is no job.
redis.call('ZREM', 'scar:cancelled', ARGV[1])
if redis.call('EXISTS', job_key(ARGV[1])) == 0 then return 0 end
redis.call('HSET', job_key(ARGV[1]), 'noted', '1')
return 1
