"""What Redis does in one step: nobody sees the half of it.

The scripts on data touch keys of one slot, and so do those on the index.
"""

from dataclasses import dataclass
from hashlib import sha1


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the name that Redis gives it."""

    text: str
    sha: str


def _script(text: str) -> Script:
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


COMMIT = _script("""
for i = 2, #KEYS do
    if redis.call('EXISTS', KEYS[i]) == 0 then return 0 end
end
local id, head, body, ttl_s, note = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if #KEYS == 1 then redis.call('HSET', KEYS[1], '+' .. id, body) end
redis.call('HSET', KEYS[1], id, head, '=' .. id, note)
for i = 1, #KEYS do redis.call('EXPIRE', KEYS[i], ttl_s) end
redis.call('PUBLISH', ARGV[6], ARGV[7])
return 1
""")
"""KEYS: heads, pieces. ARGV: id, head, body if there are no pieces, seconds to live, note, channel, message.

1 if it is all there.
"""

FRESHEN = _script("""
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
""")
"""KEYS: heads, pieces (left as they are). ARGV: id, head, channel, message. 1 if the entry is there."""

REMOVE = _script("""
redis.call('HDEL', KEYS[1], ARGV[1], '+' .. ARGV[1], '=' .. ARGV[1])
for i = 2, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[2], 'LT') end
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1
""")
"""KEYS: heads, pieces. ARGV: id, seconds that readers of the body have left, channel, message."""

EXTEND = _script("""
for i = 1, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[1], 'GT') end
return 1
""")
"""KEYS: pieces. ARGV: seconds that each lives on at least."""

_INDEX = """
local function size_of(id) return tonumber(string.match(id, '%x+$'), 16) end
local function total_of()
    local total = tonumber(redis.call('GET', KEYS[2]))
    if total and redis.call('EXISTS', KEYS[1]) == 1 then return total end
    total = 0
    for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do total = total + size_of(id) end
    return total
end
local function now()
    local time = redis.call('TIME')
    return time[1] * 1000000 + time[2]
end
"""

CLAIM = _script(
    _INDEX
    + """
local old, new, max = ARGV[1], ARGV[2], tonumber(ARGV[3])
local at = now()
for i = 4, #ARGV do redis.call('ZADD', KEYS[1], 'XX', at - #ARGV + i - 1, ARGV[i]) end
local total, grown = total_of(), size_of(new)
if grown > max then return {-1, total, redis.call('ZCARD', KEYS[1])} end
if old ~= '' then grown = grown - size_of(old) end
if total + grown > max then
    local reply = {0, total, redis.call('ZCARD', KEYS[1])}
    local missing = total + grown - max + math.floor(max / 100)
    for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, 99)) do
        if missing <= 0 then break end
        if id ~= old then
            reply[#reply + 1] = id
            missing = missing - size_of(id)
        end
    end
    return reply
end
if old ~= '' and redis.call('ZREM', KEYS[1], old) == 0 then return {-1, total, redis.call('ZCARD', KEYS[1])} end
redis.call('ZADD', KEYS[1], at, new)
redis.call('SET', KEYS[2], total + grown)
return {1, total + grown, redis.call('ZCARD', KEYS[1])}
"""
)
"""KEYS: uses, total. ARGV: id so far or nothing, id from now on, bound (bytes), then ids that were used.

1: the bytes are the new id's. 0: remove the ids that follow first. -1: it can never be, or the old id was removed.
Then total and number.
"""

DROP = _script(
    _INDEX
    + """
local total = total_of()
for _, id in ipairs(ARGV) do
    if redis.call('ZREM', KEYS[1], id) == 1 then total = total - size_of(id) end
end
redis.call('SET', KEYS[2], total)
return {total, redis.call('ZCARD', KEYS[1])}
"""
)
"""KEYS: uses, total. ARGV: ids, which take nothing any more. Total and number."""

TOUCH = _script(
    _INDEX
    + """
local at = now() - #ARGV
for i, id in ipairs(ARGV) do redis.call('ZADD', KEYS[1], 'XX', at + i, id) end
return {total_of(), redis.call('ZCARD', KEYS[1])}
"""
)
"""KEYS: uses, total. ARGV: ids that were used, the last one last. Total and number."""

ALL = (COMMIT, FRESHEN, REMOVE, EXTEND, CLAIM, DROP, TOUCH)
