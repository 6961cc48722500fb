"""Every key of this package, in the cache server (REDIS_URL). All of it may be lost: scores then begin anew.

spam:unanswered:user   ZSET receiver → ms of the first message, of those who have not answered; 24 h
spam:known:user        ZSET peer → ms of the last message, of those who have written to each other; 90 days, 2,000 peers
spam:sent:user:hour    STRING messages in that hour since the epoch; 2 h
"""
