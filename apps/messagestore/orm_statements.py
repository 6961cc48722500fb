"""The SQL of the ORM adapter, for SQLite and PostgreSQL alike; positional or named parameters in Django's form."""

STANDING = (
    "id, sender_id, sender_device, client_id, digest, receiver_id, conversation_id, sequence, timestamp_ms,"
    " undelivered, pending_devices, own_devices, repeated, settled_at_ms, refusal, group_id,"
    " members, delivered_count"
)
TRACE = f"{STANDING}, sent_at_ms, stored_at_ms, confirmations, history_for, stripped_at_ms, expires_at_ms"
BODY = (
    "id, sender_id, receiver_id, group_id, content, envelope, media, reply_to, timestamp_ms, sequence, conversation_id,"
    " pending_devices, own_devices, undelivered"
)
POINTER = "conversation_id, reader_id, peer_id, message_id, sequence, read_at_ms"
RAISE_POINTER = (
    f"INSERT INTO read_pointer ({POINTER}) VALUES (%s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (conversation_id, reader_id) DO UPDATE SET"
    " peer_id = excluded.peer_id, message_id = excluded.message_id, sequence = excluded.sequence,"
    " read_at_ms = excluded.read_at_ms"
    " WHERE excluded.sequence > read_pointer.sequence"
)
INSERT = (
    "INSERT INTO message (id, sender_id, sender_device, client_id, digest, receiver_id, group_id, conversation_id,"
    " sequence, content, envelope, media, reply_to, timestamp_ms, sent_at_ms, stored_at_ms, undelivered,"
    " pending_devices, own_devices, waiting, confirmations, history_for, repeated, settled_at_ms, refusal,"
    " stripped_at_ms, expires_at_ms, polled, members, delivered_count)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, '', %s, %s, %s, %s, %s,"
    " %s, %s, %s, 0) ON CONFLICT DO NOTHING"
)
# SQL reads the old values on the right-hand side: a list that is this one device, or empty, will be empty.
STRIP = (
    " content = CASE WHEN {gone} THEN NULL ELSE content END,"
    " envelope = CASE WHEN {gone} THEN NULL ELSE envelope END,"
    " media = CASE WHEN {gone} THEN NULL ELSE media END,"
    " reply_to = CASE WHEN {gone} THEN NULL ELSE reply_to END,"
    " stripped_at_ms = CASE WHEN {gone} THEN %(at)s ELSE stripped_at_ms END"
)
CONFIRM_BY_RECEIVER = (
    "UPDATE message SET"
    + STRIP.format(gone="pending_devices IN (%(device)s, '') AND own_devices = '' AND history_for = ''")
    + ", expires_at_ms = CASE"
    " WHEN pending_devices IN (%(device)s, '') AND own_devices = '' AND history_for = '' THEN %(trace_until)s"
    " WHEN undelivered AND history_for <> '' THEN %(history_until)s ELSE expires_at_ms END,"
    " settled_at_ms = CASE WHEN undelivered THEN %(at)s ELSE settled_at_ms END,"
    " confirmations = confirmations || %(note)s,"
    " undelivered = FALSE,"
    " waiting = (pending_devices NOT IN (%(device)s, '') OR own_devices <> ''),"
    " pending_devices = replace(pending_devices, %(device)s, '')"
    " WHERE id = %(id)s AND receiver_id = %(user)s AND refusal = '' AND stripped_at_ms IS NULL"
    " AND (undelivered OR pending_devices LIKE %(like)s)"
)
CONFIRM_OWN_COPY = (
    "UPDATE message SET"
    + STRIP.format(gone="own_devices = %(device)s AND pending_devices = '' AND history_for = '' AND NOT undelivered")
    + ", expires_at_ms = CASE"
    " WHEN own_devices = %(device)s AND pending_devices = '' AND history_for = '' AND NOT undelivered"
    " THEN %(trace_until)s ELSE expires_at_ms END,"
    " confirmations = confirmations || %(note)s,"
    " waiting = (undelivered OR pending_devices <> '' OR own_devices <> %(device)s),"
    " own_devices = replace(own_devices, %(device)s, '')"
    " WHERE id = %(id)s AND sender_id = %(user)s AND stripped_at_ms IS NULL AND own_devices LIKE %(like)s"
)
RELEASE = (
    "UPDATE message SET"
    " pending_devices = replace(pending_devices, %(device)s, ''), own_devices = replace(own_devices, %(device)s, ''),"
    " waiting = (undelivered OR pending_devices NOT IN (%(device)s, '') OR own_devices NOT IN (%(device)s, ''))"
    " WHERE id = %(id)s"
)
STRIP_RELEASED = (
    "UPDATE message SET content = NULL, envelope = NULL, media = NULL, reply_to = NULL, stripped_at_ms = %(at)s,"
    " expires_at_ms = %(trace_until)s WHERE id = %(id)s AND NOT waiting AND history_for = '' AND stripped_at_ms IS NULL"
)
# As the conditions of partial indexes are written: SQLite uses one only where the query says the very same.
OF_GROUP = "NOT (group_id = '')"
KEPT = "NOT (history_for = '') AND history_for LIKE %(like)s AND timestamp_ms > %(after)s AND timestamp_ms <= %(until)s"
IN_HISTORY = f"{KEPT} AND refusal = '' AND stripped_at_ms IS NULL AND expires_at_ms > %(now)s"
# Three parts without overlap, each with an index of its own; {groups} are marks for the groups' ids.
PARTS = ("sender_id = %(keeper)s AND group_id = ''", "receiver_id = %(keeper)s", "conversation_id IN ({groups})")
KEPT_BY = " UNION ALL ".join(f"SELECT id FROM message WHERE {part} AND {KEPT}" for part in PARTS)
OF_KEPT = "conversation_id, sequence, timestamp_ms, sender_id"
LATEST = (
    "SELECT kept.conversation_id AS conversation, max(kept.sequence) AS last_sequence, max(kept.timestamp_ms) AS at_ms,"
    " sum(CASE WHEN kept.sender_id <> %(keeper)s AND kept.sequence > coalesce(read.sequence, 0) THEN 1 ELSE 0 END)"
    " AS unread FROM ("
    + " UNION ALL ".join(f"SELECT {OF_KEPT} FROM message WHERE {part} AND {IN_HISTORY}" for part in PARTS)
    + ") kept LEFT JOIN read_pointer read"
    " ON read.conversation_id = kept.conversation_id AND read.reader_id = %(keeper)s"
    " GROUP BY kept.conversation_id"
    " HAVING (max(kept.timestamp_ms), kept.conversation_id) < (%(before_ms)s, %(before_id)s)"
    " ORDER BY max(kept.timestamp_ms) DESC, kept.conversation_id DESC LIMIT %(limit)s"
)
CONVERSATIONS = (
    f"SELECT at_ms, unread, {BODY} FROM ({LATEST}) latest"
    " JOIN message ON conversation_id = latest.conversation AND sequence = latest.last_sequence"
    f" WHERE {IN_HISTORY} ORDER BY at_ms DESC, conversation_id DESC"
)
FORGET = "UPDATE message SET history_for = replace(history_for, %(keeper)s, '') WHERE id = %(id)s"
RAISE_STORED = (
    "INSERT INTO group_progress (group_id, stored_upto, fanned_upto) VALUES (%s, %s, 0)"
    " ON CONFLICT (group_id) DO UPDATE SET stored_upto = excluded.stored_upto"
    " WHERE excluded.stored_upto > group_progress.stored_upto"
)
RAISE_FANNED = "UPDATE group_progress SET fanned_upto = %s WHERE group_id = %s AND fanned_upto < %s"
GROUP_ROW = "id, group_id, sequence, sender_id, sender_device, timestamp_ms, undelivered, delivered_count"
GROUP_POINTER = "group_id, user_id, device_id, upto, beyond"
ADD_POINTER = f"INSERT INTO group_pointer ({GROUP_POINTER}) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
CHANGE_POINTER = (
    "UPDATE group_pointer SET upto = %s, beyond = %s"
    " WHERE group_id = %s AND user_id = %s AND device_id = %s AND upto = %s AND beyond = %s"
)
# What nobody waits for any more is settled for good: no later count says anything about it.
SETTLE = (
    "UPDATE message SET" + STRIP.format(gone="NOT %(waited)s AND history_for = ''") + ", expires_at_ms = CASE"
    " WHEN NOT %(waited)s AND history_for = '' THEN %(trace_until)s"
    " WHEN NOT %(waited)s THEN %(history_until)s ELSE expires_at_ms END,"
    " settled_at_ms = CASE WHEN %(count)s > delivered_count THEN %(at)s ELSE settled_at_ms END,"
    " undelivered = (undelivered AND NOT %(all)s),"
    " waiting = %(waited)s,"
    " delivered_count = CASE WHEN %(count)s > delivered_count THEN %(count)s ELSE delivered_count END"
    f" WHERE id = %(id)s AND waiting AND {OF_GROUP}"
)
