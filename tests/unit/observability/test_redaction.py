"""What no log line may hold is masked, and the rest of the line stays."""

import pytest

from apps.observability.redaction import redact


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("cannot reach redis://chat:hush@cache:6379/0", "cannot reach redis://chat:[…]@cache:6379/0"),
        ("cannot reach redis://:hush@cache", "cannot reach redis://:[…]@cache"),
        ("GET /ws/chat/?ticket=hush&user=usr-1 403", "GET /ws/chat/?ticket=[…]&user=usr-1 403"),
        ("Not Found: /api/invite/hush_hush-1", "Not Found: /api/invite/[…]"),
        ("https://chat.example/join/#hush_hush-1 was opened", "https://chat.example/join/#[…] was opened"),
        ("(b'authorization', b'Token hush')", "(b'authorization', b'[…]')"),
        ("Cookie: sessionid=hush; other=hush", "Cookie: […]"),
        ("refused Token hushhushhushhush0", "refused Token […]"),
        ('< TEXT \'{"action":"send_message","content":"hush \\"hush\\" hush","n":1}\'', "hidden"),
        ("SendMessage(receiver_id='usr-1', content='hush', reply_to=None)", "hidden"),
        ("{'content': \"it's hush\", 'message_id': 'msg-1'}", "hidden"),
        ('{"envelope":{"body":"hush"},"sequence":5}', "hidden"),
        ("content='hush cut o", "hidden"),
        ("Message(media={'a': {'b': 1}, 'name': 'hush.jpg'})", "Message(media=[…]"),
        ("full error: {'writeErrors': [{'code': 9, 'op': {'_id': 'msg-1', 'content': 'hush'}}]}", "hidden"),
        ("DETAIL:  Failing row contains (msg-1, a)\nhush, 5).", "DETAIL:  Failing row contains ([…]"),
        ("UnicodeEncodeError('utf-8', 'hush \\ud800', 5, 6, 'surrogates not allowed')", "hidden"),
        ("UnicodeDecodeError('utf-8', b'hush', 0, 1, 'invalid')", "hidden"),
    ],
)
def test_secrets_and_content_are_masked(line: str, shown: str) -> None:
    redacted = redact(line)
    assert "hush" not in redacted
    assert "[…]" in redacted
    assert shown in (redacted, "hidden")


@pytest.mark.parametrize(
    "line",
    [
        "stored msg-05533c47ab401000",
        "gateway gw-88c16c793050 started",
        "record 5 of partition 3 is a dead letter: no content",
        "2 drains not asked for; their connections ask again",
        "the content of a page: 3 frames",
        "http://127.0.0.1:8000/api/history/usr-1?limit=5",
        "Not Found: /api/groups/grp-1/invite/7",
    ],
)
def test_what_is_neither_stays_as_it_is(line: str) -> None:
    assert redact(line) == line
