-- Takes a delivery in, once. ARGV: stream, how long it is remembered in milliseconds, the letter
-- (JSON), then the keys by which it is known. Returns 1, or 0 where any of them was seen before.
for at = 4, #ARGV do
  if redis.call('EXISTS', ARGV[at]) == 1 then return 0 end
end
for at = 4, #ARGV do redis.call('SET', ARGV[at], '1', 'PX', ARGV[2]) end
redis.call('XADD', ARGV[1], 'MAXLEN', '~', 10000, '*', 'letter', ARGV[3])
return 1
