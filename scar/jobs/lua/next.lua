-- Returns the job whose turn it is on a host where jobs wait for a slot, or nil. ARGV: host, limits
-- (JSON).
return whose_turn(ARGV[1], cjson.decode(ARGV[2]))
