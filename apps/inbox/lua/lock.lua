-- Takes the lock for rebuilding a user's inboxes. ARGV: user, random part of the token, seconds
-- Returns the token, or "" where somebody else holds the lock. One taken before this server started is nobody's: who held
-- it has lost its connection, and may have left it behind for good.
local key = 'inboxlock:{' .. ARGV[1] .. '}'
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x%x%x%x%x%x%x%x)')
local held = redis.call('GET', key)
if held and string.sub(held, 1, 8) == run then return '' end
local token = run .. '-' .. ARGV[2]
redis.call('SET', key, token, 'EX', ARGV[3])
return token
