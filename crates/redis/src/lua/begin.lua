-- Who lives, where the store stands, and perhaps the turn. ARGV: owner, session, whether to take the
-- turn, for how many milliseconds. Gives nothing if the owner is not among the living. Also says
-- whether one that does not live has left something, so that nobody need look for it each time.
local P = string.sub(KEYS[1], 1, -2)
local call = redis.call
if call('HGET', P .. 'n', ARGV[1]) ~= ARGV[2] then return false end
local owners, wait = call('HGETALL', P .. 'n'), 0
if ARGV[3] == '1' and #owners > 2 then
  local turn = call('GET', P .. 't')
  if turn and turn ~= ARGV[1] then
    wait = math.max(call('PTTL', P .. 't'), 1)
  else
    -- Also where memory is full: after a write that cannot grow none is refused.
    call('HDEL', P .. 'nb', '')
    call('SET', P .. 't', ARGV[1], 'PX', ARGV[4])
    wait = -1
  end
end
local living, has_dead = {}, 0
for k = 1, #owners, 2 do living[owners[k]] = true end
local left = call('HGETALL', P .. 'bo')
for k = 1, #left, 2 do
  if not living[left[k]] then
    if left[k + 1] == '0' then call('HDEL', P .. 'bo', left[k]) else has_dead = 1 end
  end
end
for _, owner in ipairs(call('HKEYS', P .. 'of')) do
  if not living[owner] then has_dead = 1 end
end
local beats = {}
if #owners > 2 then beats = call('HGETALL', P .. 'nb') end
local head = call('HMGET', KEYS[1], 'n', 'm', 'h')
return { head[1], head[2], head[3], owners, beats, wait, has_dead }
