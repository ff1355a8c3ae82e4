"""nginx's access log as values."""

import pytest

from tailgate.stack.access_log import AccessLogEntry, parse_access_log

RETRIED = (
    '{"at":"1795381311.512","took":"0.031","method":"GET","uri":"/products","status":"200",'
    '"upstream":"127.0.0.1:8001, 127.0.0.1:8002","upstream_status":"502, 200","upstream_took":"-, 0.004",'
    '"request_id":"abc"}'
)
BROKEN = (
    '{"at":"1795381312.000","took":"0.000","method":"","uri":"","status":"400",'
    '"upstream":"","upstream_status":"","upstream_took":"","request_id":"def"}'
)
MARK = BROKEN.replace('"uri":""', '"uri":"/.tailgate/0123"')


def test_each_attempt_of_a_retried_request_is_kept():
    assert parse_access_log([RETRIED]) == (
        AccessLogEntry(
            at_s=1795381311.512,
            duration_s=0.031,
            method="GET",
            uri="/products",
            status=200,
            upstreams=("127.0.0.1:8001", "127.0.0.1:8002"),
            upstream_statuses=("502", "200"),
            upstream_durations_s=(None, 0.004),
            request_id="abc",
        ),
    )


def test_a_request_that_reached_no_instance_has_no_attempts():
    (entry,) = parse_access_log([BROKEN])
    assert (entry.status, entry.method, entry.upstreams, entry.upstream_durations_s) == (400, "", (), ())


def test_marks_are_left_out():
    assert [entry.request_id for entry in parse_access_log([MARK, RETRIED, MARK])] == ["abc"]


def test_a_line_of_another_format_is_an_error():
    with pytest.raises(ValueError, match="line 1 column"):
        parse_access_log(["127.0.0.1 - - [22/Nov/2026] GET /"])
