"""nginx's access log as values."""

import pytest

from tailgate.stack.access_log import AccessLogEntry, parse_access_log, parse_server_timing

RETRIED = (
    '{"at":"1795381311.512","took":"0.031","method":"GET","uri":"/products","status":"200",'
    '"upstream":"127.0.0.1:8001, 127.0.0.1:8002","upstream_status":"502, 200","upstream_took":"-, 0.004",'
    '"request_id":"abc","server_timing":"app;dur=3.900, db;dur=1.250"}'
)
BROKEN = (
    '{"at":"1795381312.000","took":"0.000","method":"","uri":"","status":"400",'
    '"upstream":"","upstream_status":"","upstream_took":"","request_id":"def","server_timing":""}'
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
            server_timing="app;dur=3.900, db;dur=1.250",
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


def shares(took, upstream_took, told=""):
    """Return the shares of a request by nginx's two figures and the service's header."""
    line = RETRIED.replace('"0.031"', f'"{took}"').replace('"-, 0.004"', f'"{upstream_took}"')
    (entry,) = parse_access_log([line.replace("app;dur=3.900, db;dur=1.250", told)])
    return {tier: round(ms, 3) for tier, ms in entry.shares_ms.items()}


def test_a_request_is_divided_into_nginx_the_service_and_the_database():
    assert shares("0.031", "0.028", "app;dur=27.9, db;dur=20.5") == {"nginx": 3.0, "service": 7.5, "database": 20.5}


def test_what_the_service_does_not_tell_of_the_database_is_its_own():
    assert shares("0.031", "0.028", "app;dur=27.9") == {"nginx": 3.0, "service": 28.0}


def test_every_attempt_is_time_at_the_services():
    assert shares("0.031", "0.010, 0.020", "db;dur=5") == {"nginx": 1.0, "service": 25.0, "database": 5.0}


def test_an_attempt_that_never_got_far_took_no_time_at_a_service():
    assert shares("0.031", "-, 0.020") == {"nginx": 11.0, "service": 20.0}


def test_whole_milliseconds_never_make_a_negative_share():
    assert shares("0.003", "0.004", "db;dur=4.7") == {"nginx": 0.0, "service": 0.0, "database": 4.7}


def test_what_reached_no_instance_was_all_nginx():
    (entry,) = parse_access_log([BROKEN.replace('"0.000"', '"0.002"')])
    assert entry.shares_ms == {"nginx": 2.0}


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("", {}),
        ("app;dur=12.345, db;dur=3.210", {"app": 12.345, "db": 3.21}),
        ("db;dur=4", {"db": 4.0}),
        ('db;desc="PostgreSQL";dur=4.5,cache;dur=0.1', {"db": 4.5, "cache": 0.1}),
        ('db ; desc=x ; dur = "4.5"', {"db": 4.5}),
        ("miss, db;dur=4.5", {"db": 4.5}),
        ("cache;desc=hit, db;dur=4.5", {"db": 4.5}),
        ("db;dur=fast", {}),
    ],
)
def test_durations_are_read_from_server_timing(header, told):
    assert parse_server_timing(header) == told
