-- Appends a line to the audit trail. ARGV: the trail's end, its next line and its end then. Returns
-- {'tip', end} where the trail has another end, or {'written'}.
if redis.call('GET', 'scar:audit:tip') == ARGV[3] then return {'written'} end  -- run twice
local moved = trail_moved(ARGV[1])
if moved then return moved end
trail(ARGV[2], ARGV[3])
return {'written'}
