#!lua name=podium
-- The shared ledger: the same rules as windows.py and ledger_windows.py, as one library of Redis functions.
--
-- Everything here runs under the ACL that docs/operations.md gives to servers, which has no TIME: the store's time
-- is read from the expiry that it computes for a key. Numbers are integers below 2^53.
--
-- Keys, all with the prefix that is handed in (it ends in "{q}:"):
--   b:BUCKET    hash: ring index -> amount in that slot; s: their sum, h: held, l: last slot seen, n: newest slot
--               charged, g: generation of this bucket, e: epoch of the records that h is of
--   records     hash: request id -> what it holds (packed); "": epoch, so that lost records void what they held
--   leases      sorted set: request id by the end of its lease (ms)
--   ended:ID    what was charged when a lease ended, or "settled", for as long as something late may come
--   usage:HOUR  hash: letter and payer -> count
--   replicas    sorted set: process by when it was heard of; batch:PROCESS its last batch

local VERSION = 1

local DAY = 86400000
local RECORDS_KEPT = 31 * DAY
local HOLDS_KEPT = 40 * DAY
local USAGE_KEPT = 36 * DAY
local ENDED_KEPT = 3600000
local SETTLED_KEPT = 60000
local BATCH_KEPT = DAY
local HELD_WAIT = 1000
local REAPED_BY_RESERVE = 4
local REAPED_BY_FLUSH = 32

local REQUEST, TOKENS, MONEY = 1, 2, 3
local SETTLE, RENEW, COUNT, FORGET = 1, 2, 3, 4
local REFUSED, ADMITTED, VOID = 0, 1, 2

local function store_time(keys)
  redis.call('SET', keys.clock, '', 'PX', 60000)
  return redis.call('PEXPIRETIME', keys.clock) - 60000
end

local function key_names(base)
  return { base = base, records = base .. 'records', leases = base .. 'leases', clock = base .. 'clock' }
end

local function begin(base)
  local keys = key_names(base)
  local now = store_time(keys)
  local epoch = redis.call('HGET', keys.records, '')
  if not epoch then
    epoch = string.format('%.0f', now)
    redis.call('HSET', keys.records, '', epoch)
    redis.call('PEXPIRE', keys.records, RECORDS_KEPT)
  end
  return { keys = keys, now = now, epoch = epoch }
end

-- Amounts of {prompt tokens, output tokens, micro-units of money} in a limit's unit.
local function amount_of(used, unit)
  if unit == TOKENS then return used[1] + used[2] end
  if unit == MONEY then return used[3] end
  return 0
end

-- Buckets ------------------------------------------------------------------------------------------------------

local function forget_slots(bucket, slot)
  local steps = math.min(slot - bucket.last, bucket.slots)
  local fields = {}
  for step = 1, steps do fields[step] = tostring((slot - steps + step) % bucket.slots) end
  local amounts = redis.call('HMGET', bucket.key, unpack(fields))
  local gone = {}
  for step = 1, steps do
    if amounts[step] then
      bucket.total = bucket.total - tonumber(amounts[step])
      gone[#gone + 1] = fields[step]
    end
  end
  if #gone > 0 then
    redis.call('HDEL', bucket.key, unpack(gone))
    redis.call('HSET', bucket.key, 's', bucket.total, 'l', slot)
  end
end

local function open_bucket(session, key, slots, slot_ms)
  local found = redis.call('HMGET', key, 'h', 's', 'l', 'n', 'g', 'e')
  local slot = math.floor(session.now / slot_ms)
  if not found[3] then
    return { key = key, slots = slots, slot_ms = slot_ms, held = 0, total = 0, last = slot, newest = slot,
             generation = session.now, fresh = true }
  end
  local bucket = { key = key, slots = slots, slot_ms = slot_ms, held = tonumber(found[1]), total = tonumber(found[2]),
                   last = tonumber(found[3]), newest = tonumber(found[4]), generation = tonumber(found[5]) }
  if found[6] ~= session.epoch then bucket.held = 0 end
  if slot > bucket.last then
    if bucket.total > 0 then forget_slots(bucket, slot) end
    bucket.last = slot
  end
  return bucket
end

-- For a clock that went back, time stands still in a bucket until it has caught up.
local function charge(session, bucket, amount, age)
  local now = math.max(session.now, bucket.last * bucket.slot_ms)
  local slot = math.floor((now - age) / bucket.slot_ms)
  if amount <= 0 or slot <= bucket.last - bucket.slots then return end
  redis.call('HINCRBY', bucket.key, slot % bucket.slots, amount)
  if slot > bucket.newest or bucket.total == 0 then bucket.newest = slot end
  bucket.total = bucket.total + amount
end

local function close_bucket(session, bucket)
  if bucket.held == 0 and bucket.total == 0 then
    if not bucket.fresh then redis.call('DEL', bucket.key) end
    return
  end
  redis.call('HSET', bucket.key, 'h', bucket.held, 's', bucket.total, 'l', bucket.last, 'n', bucket.newest,
       'g', bucket.generation, 'e', session.epoch)
  if bucket.held > 0 then
    redis.call('PEXPIRE', bucket.key, HOLDS_KEPT)
  else
    redis.call('PEXPIRE', bucket.key, (bucket.newest + bucket.slots) * bucket.slot_ms - session.now + 1000)
  end
end

-- When the oldest slots that hold `amount` together have left.
local function leaving(bucket, amount, now)
  if amount <= 0 then return 0 end
  local fields, left = {}, 0
  for step = 1, bucket.slots do fields[step] = tostring((bucket.last - bucket.slots + step) % bucket.slots) end
  local amounts = redis.call('HMGET', bucket.key, unpack(fields))
  for step = 1, bucket.slots do
    left = left + tonumber(amounts[step] or 0)
    if left >= amount then return (bucket.last + step) * bucket.slot_ms - now end
  end
  return bucket.slots * bucket.slot_ms
end

local function wait(bucket, amount, most, now)
  local short = bucket.total + bucket.held + amount - most
  if amount == 0 or short <= 0 then return 0 end
  if amount > most then return -1 end
  if short <= bucket.total then return math.max(1, leaving(bucket, short, now)) end
  return math.max(HELD_WAIT, leaving(bucket, short - bucket.held, now))
end

local function reset(bucket, now)
  if bucket.slots == 0 then return bucket.held > 0 and HELD_WAIT or 0 end
  if bucket.held > 0 then return (bucket.last + bucket.slots) * bucket.slot_ms - now end
  return bucket.total > 0 and (bucket.newest + bucket.slots) * bucket.slot_ms - now or 0
end

-- Records ------------------------------------------------------------------------------------------------------
-- A record: {limits = {{bucket key, slots, slot ms, unit, held, generation}, ...}, payer, declared, used, counted};
-- counted, after a lease that ended before: {charged, used}.

local function write_record(session, id, record, lease_ms)
  redis.call('HSET', session.keys.records, id, cmsgpack.pack(record))
  redis.call('ZADD', session.keys.leases, session.now + lease_ms, id)
  redis.call('PEXPIRE', session.keys.leases, RECORDS_KEPT)
end

local function read_record(session, id)
  local packed = redis.call('HGET', session.keys.records, id)
  return packed and cmsgpack.unpack(packed)
end

local function drop_record(session, id)
  redis.call('HDEL', session.keys.records, id)
  redis.call('ZREM', session.keys.leases, id)
end

local function count(session, payer, at, requests, cached, used)
  local key = session.keys.base .. 'usage:' .. string.format('%.0f', math.floor(at / 3600000))
  local counts = { r = requests, c = cached, p = used[1], o = used[2], m = used[3] }
  for letter, amount in pairs(counts) do
    if amount > 0 then redis.call('HINCRBY', key, letter .. payer, amount) end
  end
  redis.call('PEXPIRE', key, USAGE_KEPT)
end

-- Counts what was used beyond what was counted when a lease ended.
local function count_rest(session, payer, at, cached, used, counted)
  if not counted then return count(session, payer, at, 1, cached, used) end
  local before = counted.used
  count(session, payer, at, 0, 0, { used[1] - before[1], used[2] - before[2], used[3] - before[3] })
end

-- Gives back what a record holds, and charges `used` beyond what was charged.
local function let_go(session, record, used, age)
  for _, limit in ipairs(record.limits) do
    local bucket = open_bucket(session, limit[1], limit[2], limit[3])
    if bucket.generation == limit[6] and limit[4] ~= REQUEST then
      bucket.held = math.max(0, bucket.held - limit[5])
    end
    if used then
      local before = record.counted and amount_of(record.counted.charged, limit[4]) or 0
      charge(session, bucket, amount_of(used, limit[4]) - before, age)
    end
    close_bucket(session, bucket)
  end
end

local function larger(one, other)
  if not other then return one end
  return { math.max(one[1], other[1]), math.max(one[2], other[2]), math.max(one[3], other[3]) }
end

local function end_lease(session, id)
  local record = read_record(session, id)
  drop_record(session, id)
  if not record then return end
  let_go(session, record, record.declared, 0)
  count_rest(session, record.payer, session.now, 0, record.used, record.counted)
  local charged = larger(record.declared, record.counted and record.counted.charged)
  redis.call('SET', session.keys.base .. 'ended:' .. id, cmsgpack.pack({ charged = charged, used = record.used }),
       'PX', ENDED_KEPT)
end

local function reap(session, most)
  local over = redis.call('ZRANGEBYSCORE', session.keys.leases, '-inf', session.now, 'LIMIT', 0, most)
  for _, id in ipairs(over) do
    if not pcall(end_lease, session, id) then drop_record(session, id) end
  end
  return #over
end

-- Reserve ------------------------------------------------------------------------------------------------------

local function admit(session, ask, buckets, limits)
  local held = {}
  for index, limit in ipairs(limits) do
    local bucket, slots, slot_ms, unit, amount = buckets[index], limit[1], limit[2], limit[4], limit[5]
    if unit == REQUEST then charge(session, bucket, amount, 0) else bucket.held = bucket.held + amount end
    close_bucket(session, bucket)
    held[index] = { bucket.key, slots, slot_ms, unit, amount, bucket.generation }
  end
  write_record(session, ask.id, { limits = held, payer = ask.payer, declared = ask.declared, used = { 0, 0, 0 } },
               ask.lease_ms)
end

-- KEYS: the buckets of the limits, in order. Answers {time, verdict, used, reset, wait, used, reset, wait, ...}.
local function reserve(bucket_keys, args)
  local ask = cmsgpack.unpack(args[1])
  local session = begin(ask.base)
  local late = ask.latest > 0 and session.now > ask.latest
  if late or redis.call('EXISTS', ask.base .. 'ended:' .. ask.id) == 1 then return { session.now, VOID } end
  reap(session, REAPED_BY_RESERVE)
  local answer, buckets, fits = { session.now, ADMITTED }, {}, true
  for index, limit in ipairs(ask.limits) do
    local bucket = open_bucket(session, bucket_keys[index], limit[1], limit[2])
    buckets[index] = bucket
    if limit[5] > 0 and bucket.total + bucket.held + limit[5] > limit[3] then fits = false end
  end
  if fits then admit(session, ask, buckets, ask.limits) else answer[2] = REFUSED end
  for index, limit in ipairs(ask.limits) do
    local bucket = buckets[index]
    answer[#answer + 1] = bucket.total + bucket.held
    answer[#answer + 1] = reset(bucket, session.now)
    answer[#answer + 1] = fits and 0 or wait(bucket, limit[5], limit[3], session.now)
  end
  return answer
end

-- Flush --------------------------------------------------------------------------------------------------------

local items = {}

-- {SETTLE, id, age ms, payer, used, cached, limits}
items[SETTLE] = function(session, item)
  local id, age, payer, used, cached = item[2], item[3], item[4], item[5], item[6]
  local at = session.now - age
  local record = read_record(session, id)
  if record then
    drop_record(session, id)
    let_go(session, record, used, age)
    return count_rest(session, payer, at, cached, used, record.counted)
  end
  local mark = session.keys.base .. 'ended:' .. id
  local ended = redis.call('GET', mark)
  if ended == 'settled' then return end
  local counted = ended and cmsgpack.unpack(ended)
  for _, limit in ipairs(item[7]) do
    local bucket = open_bucket(session, limit[1], limit[2], limit[3])
    local before = counted and amount_of(counted.charged, limit[4]) or 0
    charge(session, bucket, amount_of(used, limit[4]) - before, age)
    if limit[4] == REQUEST and not counted then charge(session, bucket, limit[5], age) end
    close_bucket(session, bucket)
  end
  redis.call('SET', mark, 'settled', 'PX', SETTLED_KEPT)
  count_rest(session, payer, at, cached, used, counted)
end

-- {RENEW, id, payer, used, declared, limits}: one that is not known is taken up (again).
items[RENEW] = function(session, item, lease_ms)
  local id, payer, used, declared = item[2], item[3], item[4], item[5]
  local record = read_record(session, id)
  if record then
    record.used, record.declared = used, declared
    return write_record(session, id, record, lease_ms)
  end
  local mark = session.keys.base .. 'ended:' .. id
  local ended = redis.call('GET', mark)
  if ended == 'settled' then return end
  local counted, held = ended and cmsgpack.unpack(ended) or nil, {}
  for index, limit in ipairs(item[6]) do
    local bucket = open_bucket(session, limit[1], limit[2], limit[3])
    local amount = math.max(0, limit[5] - (counted and amount_of(counted.charged, limit[4]) or 0))
    if limit[4] ~= REQUEST then
      bucket.held = bucket.held + amount
    elseif not counted then
      charge(session, bucket, limit[5], 0)
    end
    close_bucket(session, bucket)
    held[index] = { limit[1], limit[2], limit[3], limit[4], amount, bucket.generation }
  end
  if ended then redis.call('DEL', mark) end
  write_record(session, id, { limits = held, payer = payer, declared = declared, used = used, counted = counted },
               lease_ms)
end

-- {COUNT, payer, requests, cached, used}
items[COUNT] = function(session, item)
  count(session, item[2], session.now, item[3], item[4], item[5])
end

-- {FORGET, id}: nobody waits for it; should it still come, it is void.
items[FORGET] = function(session, item)
  local record = read_record(session, item[2])
  if not record then
    return redis.call('SET', session.keys.base .. 'ended:' .. item[2], 'settled', 'PX', SETTLED_KEPT)
  end
  drop_record(session, item[2])
  let_go(session, record, nil, 0)
end

local function apply(session, batch)
  local mark = session.keys.base .. 'batch:' .. batch.process
  if batch.number <= tonumber(redis.call('GET', mark) or 0) then return 0 end
  redis.call('SET', mark, batch.number, 'PX', BATCH_KEPT)
  local failed = 0
  for _, item in ipairs(batch.items) do
    if not pcall(items[item[1]], session, item, batch.lease_ms) then failed = failed + 1 end
  end
  return failed
end

local function note_replica(session, batch)
  local key = session.keys.base .. 'replicas'
  if batch.leaving then
    redis.call('ZREM', key, batch.process)
  else
    redis.call('ZADD', key, session.now, batch.process)
  end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', session.now - batch.lease_ms)
  redis.call('PEXPIRE', key, RECORDS_KEPT)
  return redis.call('ZCARD', key)
end

-- Applies a batch once, however often it comes. Answers {time, replicas, items that failed, leases that ended}.
local function flush(_, args)
  local batch = cmsgpack.unpack(args[1])
  local session = begin(batch.base)
  local failed = apply(session, batch)
  local replicas = note_replica(session, batch)
  local ended = reap(session, REAPED_BY_FLUSH)
  redis.call('PEXPIRE', session.keys.records, RECORDS_KEPT)
  return { session.now, replicas, failed, ended }
end

redis.register_function('podium_reserve', reserve)
redis.register_function { function_name = 'podium_flush', callback = flush, flags = { 'allow-oom' } }
redis.register_function { function_name = 'podium_version', callback = function() return VERSION end,
                          flags = { 'no-writes', 'allow-oom' } }
