"""Lua scripts: the steps that must happen wholly or not at all. Each names its KEYS and ARGV in its first line."""

from __future__ import annotations

# KEYS stream, seen; ARGV payload, limit, seconds to remember
# → {1, entry} pushed, {0, entry} there already, {-1, ""} full
PUSH = """
local seen = redis.call('GET', KEYS[2])
if seen then return {0, seen} end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[2]) then return {-1, ''} end
local entry = redis.call('XADD', KEYS[1], '*', 'data', ARGV[1])
redis.call('SET', KEYS[2], entry, 'EX', ARGV[3])
return {1, entry}
"""

# KEYS stream; ARGV group, entry → 1 acknowledged, 0 gone already
ACK = """
local acknowledged = redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return acknowledged
"""

# KEYS stream, dead; ARGV group, entry, payload, reason, deliveries → 1 moved, 0 gone already
BURY = """
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'data', ARGV[3], 'reason', ARGV[4], 'deliveries', ARGV[5])
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
"""

# KEYS stream, seen…; ARGV most entries to walk over
# → for each seen key how many outstanding entries are older, -1 = none
PLACES = """
local rank = {}
for place, row in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])) do rank[row[1]] = place - 1 end
local places = {}
for index = 2, #KEYS do
  local entry = redis.call('GET', KEYS[index])
  places[index - 1] = entry and rank[entry] or -1
end
return places
"""

# KEYS requests, replies, done; ARGV group, entry, reply, seconds to remember, seconds that replies live (0: for ever)
# → 1 stored, 0 the request had its reply already
COMPLETE = """
local fresh = 0
if redis.call('SET', KEYS[3], '1', 'NX', 'EX', ARGV[4]) then
  redis.call('XADD', KEYS[2], '*', 'data', ARGV[3])
  if tonumber(ARGV[5]) > 0 then redis.call('EXPIRE', KEYS[2], ARGV[5]) end
  fresh = 1
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return fresh
"""

# KEYS requests, dead, replies, done; ARGV group, entry, payload, reason, deliveries, reply, seconds to remember,
# seconds that replies live (0: for ever)
# → 1 buried and answered, 0 somebody else did
REFUSE = """
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'data', ARGV[3], 'reason', ARGV[4], 'deliveries', ARGV[5])
if redis.call('SET', KEYS[4], '1', 'NX', 'EX', ARGV[7]) then
  redis.call('XADD', KEYS[3], '*', 'data', ARGV[6])
  if tonumber(ARGV[8]) > 0 then redis.call('EXPIRE', KEYS[3], ARGV[8]) end
end
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
"""

# KEYS ratings stream, seen, rating hash; ARGV payload, seconds to remember, user, merged, expected earlier ('' = none)
# → {1} stored, {0} this rating id was counted already, {-1} somebody changed the merged rating meanwhile
RATE = """
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local current = redis.call('HGET', KEYS[3], ARGV[3]) or ''
if current ~= ARGV[5] then return -1 end
if ARGV[6] ~= '' then redis.call('HSET', KEYS[3], ARGV[6], current) end
redis.call('XADD', KEYS[1], '*', 'data', ARGV[1])
redis.call('SET', KEYS[2], '1', 'EX', ARGV[2])
redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
redis.call('EXPIRE', KEYS[3], ARGV[2])
return 1
"""
