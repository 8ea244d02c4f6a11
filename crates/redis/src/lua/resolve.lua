-- What became of a batch of which nobody was told. ARGV: owner, session, the session from now on, the
-- number and the stamp of the batch. Gives 1 if it is written, 0 if it is not and never will be, 2 if
-- the journal does not reach back so far; nothing if the owner is not among the living. It may be run
-- again with the same arguments.
local P = string.sub(KEYS[1], 1, -2)
local call = redis.call
local session = call('HGET', P .. 'n', ARGV[1])
if session ~= ARGV[2] and session ~= ARGV[3] then return false end
-- Also where memory is full: after a write that cannot grow none is refused.
call('HDEL', P .. 'nb', '')
call('HSET', P .. 'n', ARGV[1], ARGV[3])
local number = tonumber(call('HGET', KEYS[1], 'n') or '0')
local found = call('XRANGE', P .. 'j', ARGV[4] .. '-0', ARGV[4] .. '-0')
if #found == 0 then return number < tonumber(ARGV[4]) and 0 or 2 end
local entry = {}
for k = 1, #found[1][2], 2 do entry[found[1][2][k]] = found[1][2][k + 1] end
if entry.o ~= ARGV[1] or entry.s ~= ARGV[5] then return 0 end
if number < tonumber(ARGV[4]) then
  return redis.error_reply('CORRUPT the journal has a batch that the store has not')
end
return 1
