-- Many reads in one trip, with where the store stands. KEYS[1] is the key of the head; all others
-- begin as it does. ARGV: for each read how many arguments follow its name, its name, these.
local P = string.sub(KEYS[1], 1, -2)
local call = redis.call

local function number(bytes)
  local high, low = struct.unpack('>I4I4', bytes)
  return high * 4294967296 + low
end

local function eight(n)
  local high = math.floor(n / 4294967296)
  return struct.pack('>I4I4', high, n - high * 4294967296)
end

-- Adds the row of a task to a list; `want` 1 adds its data, 2 its outcome, 3 both.
local function put(out, seq, want)
  local bucket = math.floor(seq / 4096)
  local name, field = string.format('%.0f', bucket), struct.pack('>I2', seq - bucket * 4096)
  local row = call('HGET', P .. 'r:' .. name, field)
  local data, outcome = false, false
  if row and (want == 1 or want == 3) then data = call('HGET', P .. 'd:' .. name, field) end
  if row and want >= 2 then outcome = call('HGET', P .. 'e:' .. name, field) end
  out[#out + 1], out[#out + 2], out[#out + 3] = row, data, outcome
  return (row and #row or 0) + (data and #data or 0) + (outcome and #outcome or 0)
end

local own = {}

-- want, then numbers of tasks: the rows of these, three items each.
function own.ROWS(a)
  local out, want = {}, tonumber(a[1])
  for i = 2, #a do put(out, number(a[i]), want) end
  return out
end

-- set, want, low, high, max: entries with the rows of the tasks at their ends, four items each.
function own.FIND(a)
  local out, want = {}, tonumber(a[2])
  local found = call('ZRANGEBYLEX', P .. a[1], a[3], a[4], 'LIMIT', 0, a[5])
  for _, entry in ipairs(found) do
    out[#out + 1] = entry
    put(out, number(string.sub(entry, -8)), want)
  end
  return out
end

-- set, length, low, max, each: the first entries of each beginning of this length.
function own.EACH(a)
  local out, length, low, max = {}, tonumber(a[2]), a[3], tonumber(a[4])
  while #out < max do
    local found = call('ZRANGEBYLEX', P .. a[1], low, '+', 'LIMIT', 0, a[5])
    if #found == 0 then break end
    local head, same = string.sub(found[1], 1, length), {}
    for _, entry in ipairs(found) do
      if string.sub(entry, 1, length) == head then same[#same + 1] = entry end
    end
    out[#out + 1] = same
    low = '(' .. head .. string.rep('\255', 32)
  end
  return out
end

-- want, low, high, down, bytes: the number behind the last one that was looked at, and of each task
-- within these numbers its own and its row, four items each.
function own.NUMS(a)
  local want, low, high = tonumber(a[1]), number(a[2]), number(a[3])
  local down, left, out = a[4] == '1', tonumber(a[5]), { false }
  local at, last, step = low, high, 1
  if down then at, last, step = high, low, -1 end
  while (at - last) * step <= 0 and left > 0 do
    out[#out + 1] = eight(at)
    left = left - put(out, at, want)
    at = at + step
  end
  out[1] = (at - last) * step <= 0 and eight(at) or false
  return out
end

-- low, high, down: the next number within these that a task has.
function own.NEXT(a)
  local low, high, down = number(a[1]), number(a[2]), a[3] == '1'
  local from = '[' .. eight(math.floor(low / 4096))
  local to = '[' .. eight(math.floor(high / 4096))
  while true do
    local found
    if down then found = call('ZREVRANGEBYLEX', P .. 'b', to, from, 'LIMIT', 0, 1)
    else found = call('ZRANGEBYLEX', P .. 'b', from, to, 'LIMIT', 0, 1) end
    if #found == 0 then return false end
    local bucket, best = number(found[1]), nil
    for _, field in ipairs(call('HKEYS', P .. 'r:' .. string.format('%.0f', bucket))) do
      local seq = bucket * 4096 + struct.unpack('>I2', field)
      if seq >= low and seq <= high and (not best or (down and seq > best)
          or (not down and seq < best)) then
        best = seq
      end
    end
    if best then return eight(best) end
    if down then to = '(' .. found[1] else from = '(' .. found[1] end
  end
end

local results, i = {}, 1
while i <= #ARGV do
  local count, name = tonumber(ARGV[i]), ARGV[i + 1]
  if own[name] then
    local a = {}
    for k = 1, count do a[k] = ARGV[i + 1 + k] end
    results[#results + 1] = own[name](a)
  else
    results[#results + 1] =
      call(name, P .. ARGV[i + 2], unpack(ARGV, i + 3, i + 1 + count))
  end
  i = i + 2 + count
end
local head = call('HMGET', KEYS[1], 'n', 'm', 'h')
return { head[1], head[2], head[3], results }
