-- Renames keys of a wrong type. ARGV: cursor, how many keys to look at, the type of each name and of
-- each family of names (JSON, without 'scar:'), what to put in front of a name, for how many seconds
-- it is kept. Returns {next cursor, the names}; a name that is no text has '?' for what is none.
local cursor, count, prefix, kept = ARGV[1], ARGV[2], ARGV[5], ARGV[6]
local types, families = cjson.decode(ARGV[3]), cjson.decode(ARGV[4])
local t = redis.call('TIME')
local tomorrow = t[1] * 1000 + 86400000

local function type_of(name)
  if types[name] then return types[name] end
  if string.find(name, '^job:[^:]*:events$') then return 'stream' end
  local family = string.match(name, '^(mq:host%.)') or string.match(name, '^(mq:_kombu%.binding%.)')
    or string.match(name, '^(mq:unacked_index)$') or string.match(name, '^(mq:unacked)$')
    or string.match(name, '^(github:seen):') or string.match(name, '^(page:[%w-]+):')
    or string.match(name, '^(alerts:told):') or string.match(name, '^([^:]+):')
  return family and families[family]
end

-- Whether nothing can be appended behind the stream's last entry in this century.
local function is_exhausted(key)
  local newest = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
  return newest[1] and tonumber(string.match(newest[1][1], '^%d+')) > tomorrow
end

local page, renamed = redis.call('SCAN', cursor, 'MATCH', 'scar:*', 'COUNT', count), {}
for _, key in ipairs(page[2]) do
  local name = string.sub(key, 6)
  local wanted, actual = type_of(name), redis.call('TYPE', key)
  if type(actual) == 'table' then actual = actual.ok end
  local is_wrong = wanted and actual ~= wanted and actual ~= 'none'
  if wanted == 'stream' and actual == 'stream' and types[name] then is_wrong = is_exhausted(key) end
  if is_wrong then
    redis.call('RENAME', key, prefix .. name)
    redis.call('EXPIRE', prefix .. name, kept)
    renamed[#renamed + 1] = string.gsub(key, '[^%w:._/*-]', '?')
  end
end
return {page[1], renamed}
