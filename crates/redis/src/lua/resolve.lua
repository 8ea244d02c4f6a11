-- Whether a batch was written of which nobody was told. ARGV: owner, session, the session from now
-- on, the number of the batch. Gives who wrote the batch of this number, if there is one, and
-- whether that is all there is to know. Nothing if the owner is not among the living. It may be run
-- again with the same arguments.
local P = string.sub(KEYS[1], 1, -2)
local call = redis.call
local session = call('HGET', P .. 'n', ARGV[1])
if session ~= ARGV[2] and session ~= ARGV[3] then return false end
call('HSET', P .. 'n', ARGV[1], ARGV[3])
local found = call('XRANGE', P .. 'j', ARGV[4] .. '-0', ARGV[4] .. '-0')
if #found > 0 then
  for k = 1, #found[1][2], 2 do
    if found[1][2][k] == 'o' then return { found[1][2][k + 1], 1 } end
  end
end
local number = tonumber(call('HGET', KEYS[1], 'n') or '0')
return { false, number < tonumber(ARGV[4]) and 1 or 0 }
