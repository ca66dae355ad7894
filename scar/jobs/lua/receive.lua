-- Appends a letter to an inbox, once. ARGV: stream, how long the keys are remembered in
-- milliseconds, the sealed letter, then the keys by which it is known. Returns 1, or 0 where one with
-- any of the keys was received before.
for i = 4, #ARGV do
  if redis.call('EXISTS', ARGV[i]) == 1 then return 0 end
end
for i = 4, #ARGV do redis.call('SET', ARGV[i], '1', 'PX', ARGV[2]) end
redis.call('XADD', ARGV[1], 'MAXLEN', '~', 10000, '*', 'letter', ARGV[3])
return 1
