-- A turn is over without a commit. ARGV: owner.
local P = string.sub(KEYS[1], 1, -2)
if redis.call('GET', P .. 't') == ARGV[1] then
  redis.call('DEL', P .. 't')
  redis.call('PUBLISH', P .. 'w', ARGV[1])
end
return 0
