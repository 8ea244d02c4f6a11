-- An owner is heard of. ARGV: owner, session.
local P = string.sub(KEYS[1], 1, -2)
if redis.call('HGET', P .. 'n', ARGV[1]) ~= ARGV[2] then return 0 end
-- Also where memory is full: after a write that cannot grow none is refused.
redis.call('HDEL', P .. 'nb', '')
redis.call('HINCRBY', P .. 'nb', ARGV[1], 1)
return 1
