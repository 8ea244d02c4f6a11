-- A new owner. ARGV: its session, a random key for the ids of a new store, our schema version.
local P = string.sub(KEYS[1], 1, -2)
local call = redis.call
local version = call('HGET', KEYS[1], 'v')
if not version then
  local left = call('EXISTS', KEYS[1], P .. 'j', P .. 'op', P .. 'b', P .. 'n')
  if left > 0 then return 'damaged' end
  call('HSET', KEYS[1], 'v', ARGV[3], 'k', ARGV[2])
elseif version ~= ARGV[3] then
  return 'version'
end
local n = call('HINCRBY', KEYS[1], 'o', 1)
local owner = struct.pack('>I4I4', math.floor(n / 4294967296), n % 4294967296)
call('HSET', P .. 'n', owner, ARGV[1])
call('HSET', P .. 'nb', owner, 0)
call('PUBLISH', P .. 'w', owner)
return { owner, call('HGET', KEYS[1], 'k') }
