-- An owner goes, or is buried by one who has heard nothing of it: then only if nothing moved. ARGV:
-- owner, session, and how often it was heard of if it is buried.
local P = string.sub(KEYS[1], 1, -2)
local call = redis.call
if call('HGET', P .. 'n', ARGV[1]) ~= ARGV[2] then return 0 end
if ARGV[3] and call('HGET', P .. 'nb', ARGV[1]) ~= ARGV[3] then return 0 end
call('HDEL', P .. 'n', ARGV[1])
call('HDEL', P .. 'nb', ARGV[1])
if call('GET', P .. 't') == ARGV[1] then call('DEL', P .. 't') end
call('PUBLISH', P .. 'w', ARGV[1])
return 1
