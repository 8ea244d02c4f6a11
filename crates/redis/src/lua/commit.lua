-- Writes a batch if the store still stands where its planner thinks. All checks come first; then the
-- entry of the journal, whose number cannot be taken twice; then the rest. ARGV: number and stamp
-- so far, owner, session, number and stamp from now on, the facts of the batch, its moment, its
-- transitions, its notes, whether it is written where memory is full; then the writes, each as in
-- read.lua.
local P = string.sub(KEYS[1], 1, -2)
local call = redis.call
if call('HGET', P .. 'n', ARGV[3]) ~= ARGV[4] then return 'void' end
local head = call('HMGET', KEYS[1], 'n', 'm')
if (head[1] or '0') ~= ARGV[1] or (head[2] or '') ~= ARGV[2] then return 'behind' end
local turn = call('GET', P .. 't')
if turn and turn ~= ARGV[3] then return 'behind' end

-- After a write that cannot grow no other is refused for want of memory.
if ARGV[11] == '1' then call('HDEL', P .. 'nb', '') end
-- A script that broke off behind its first write would have left an entry without the rest.
local last = call('XREVRANGE', P .. 'j', '+', '-', 'COUNT', 1)
if (#last == 0 and '0-0' or last[1][1]) ~= ARGV[1] .. '-0' then
  return redis.error_reply('CORRUPT the journal and the store do not end with the same batch')
end

local entry = { 'o', ARGV[3], 's', ARGV[6], 'a', ARGV[8], 't', ARGV[9] }
if ARGV[10] ~= '' then entry[9], entry[10] = 'n', ARGV[10] end
call('XADD', P .. 'j', ARGV[5] .. '-0', unpack(entry))
local i = 12
while i <= #ARGV do
  local count, name = tonumber(ARGV[i]), ARGV[i + 1]
  if name == 'SHUT' then
    -- A bucket that may be empty now.
    if call('EXISTS', P .. ARGV[i + 2]) == 0 then call('ZREM', P .. 'b', ARGV[i + 3]) end
  else
    call(name, P .. ARGV[i + 2], unpack(ARGV, i + 3, i + 1 + count))
  end
  i = i + 2 + count
end
call('HSET', KEYS[1], 'n', ARGV[5], 'm', ARGV[6], 'h', ARGV[7])
if turn then call('DEL', P .. 't') end
if call('HLEN', P .. 'n') > 1 then
  call('HINCRBY', P .. 'nb', ARGV[3], 1)
  call('PUBLISH', P .. 'w', ARGV[3])
end
return 'ok'
