-- Forgets old batches. ARGV: how many to keep at least, how old they may be in milliseconds, how
-- many to keep at most. Numbers have no gaps and moments grow, so the border is searched by halves.
local P = string.sub(KEYS[1], 1, -2)
local call = redis.call
local function moment(found)
  for k = 1, #found[1][2], 2 do
    if found[1][2][k] == 'a' then return tonumber(found[1][2][k + 1]) end
  end
end
local first = call('XRANGE', P .. 'j', '-', '+', 'COUNT', 1)
if #first == 0 then return 0 end
local last = call('XREVRANGE', P .. 'j', '+', '-', 'COUNT', 1)
local low = tonumber(string.match(first[1][1], '^%d+'))
local number = tonumber(string.match(last[1][1], '^%d+'))
local newest, high = moment(last), number - tonumber(ARGV[1])
while low <= high do
  local middle = math.floor((low + high) / 2)
  local found = call('XRANGE', P .. 'j', string.format('%.0f', middle), '+', 'COUNT', 1)
  if newest - moment(found) > tonumber(ARGV[2]) then low = middle + 1 else high = middle - 1 end
end
local floor = math.max(low, number - tonumber(ARGV[3]) + 1)
return call('XTRIM', P .. 'j', 'MINID', string.format('%.0f', floor))
