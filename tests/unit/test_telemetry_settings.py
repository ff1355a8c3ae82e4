"""What the standard variables ask for."""

from __future__ import annotations

import pytest

from tailgate.errors import BadInput
from tailgate.telemetry.settings import DEFAULT_SAMPLE_RATIO, read_settings

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}


def test_nobody_asked():
    assert read_settings({}, is_asked=False) is None
    assert read_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": " ", "OTEL_SERVICE_NAME": "shop"}, is_asked=False) is None


@pytest.mark.parametrize(
    ("protocol", "endpoint"), [("grpc", "http://localhost:4317"), ("http/protobuf", "http://localhost:4318")]
)
def test_the_option_alone_takes_the_standard_address_of_the_protocol(protocol, endpoint):
    settings = read_settings({"OTEL_EXPORTER_OTLP_PROTOCOL": protocol}, is_asked=True)
    assert (settings.endpoint, settings.protocol) == (endpoint, protocol)


def test_an_endpoint_asks_for_telemetry_by_grpc_with_our_defaults():
    settings = read_settings(ENDPOINT, is_asked=False)
    assert (settings.endpoint, settings.protocol) == ("http://collector:4317", "grpc")
    assert (settings.sample_ratio, settings.has_metrics) == (DEFAULT_SAMPLE_RATIO, True)


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({"OTEL_ENDPOINT": "http://old:4317"}, "http://old:4317"),
        ({"OTEL_ENDPOINT": "old:4317"}, "http://old:4317"),
        ({"OTEL_ENDPOINT": "http://old:4317", **ENDPOINT}, "http://collector:4317"),
    ],
)
def test_the_alias_is_second_to_the_standard_name(environ, endpoint):
    assert read_settings(environ, is_asked=False).endpoint == endpoint


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize(
    "endpoint",
    [
        "http:/typo:4317",
        "http:typo",
        "htp://x:4318",
        "http://localhost:notaport",
        "http://localhost:0",
        "http://",
        "http://[::1",
    ],
)
def test_an_endpoint_to_which_nothing_could_be_sent_is_refused(protocol, endpoint):
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    told = {
        "grpc": "http://localhost:4317, or HOST:PORT for TLS",
        "http/protobuf": "http://localhost:4318",
    }
    with pytest.raises(BadInput) as caught:
        read_settings(environ, is_asked=False)
    assert caught.value.problems == (
        f"OTEL_EXPORTER_OTLP_ENDPOINT: {endpoint!r}, wanted a URL such as {told[protocol]}",
    )


@pytest.mark.parametrize("endpoint", ["localhost:4318", "localhost", "dns:///collector:4318", "/v1"])
def test_without_a_scheme_nothing_can_be_sent_by_http(endpoint):
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    with pytest.raises(BadInput, match=r"wanted a URL such as http://localhost:4318$"):
        read_settings(environ, is_asked=False)


@pytest.mark.parametrize(
    "endpoint",
    [
        "collector:4317",
        "collector",
        "[::1]:4317",
        "https://x",
        "HTTP://x:1",
        "dns:///x:1",
        "unix:///run/otel",
        "ipv4:1.2.3.4:1",
    ],
)
def test_by_grpc_an_endpoint_is_whatever_grpc_understands(endpoint):
    assert read_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, is_asked=False).endpoint == endpoint


@pytest.mark.parametrize("endpoint", ["localhost:notaport", ":4317", "[::1"])
def test_by_grpc_a_host_and_its_port_have_to_be_some(endpoint):
    with pytest.raises(BadInput, match=r"HOST:PORT for TLS$"):
        read_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, is_asked=False)


def test_the_alias_is_named_where_it_is_wrong():
    with pytest.raises(BadInput, match=r"^OTEL_ENDPOINT: 'http://old:port', wanted a URL"):
        read_settings({"OTEL_ENDPOINT": "old:port"}, is_asked=False)


def test_the_sdks_switch_turns_all_off():
    assert read_settings(ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, is_asked=True) is None


@pytest.mark.parametrize(
    ("sampler", "argument", "ratio"),
    [
        ("", "", DEFAULT_SAMPLE_RATIO),
        ("", "0.5", 0.5),
        ("traceidratio", "0.5", 0.5),
        ("traceidratio", "", 1.0),
        ("parentbased_traceidratio", "0", 0.0),
        ("always_on", "", 1.0),
        ("parentbased_always_on", "", 1.0),
        ("always_off", "", None),
        ("parentbased_always_off", "", None),
    ],
)
def test_the_sampler_says_how_many_requests_get_a_span(sampler, argument, ratio):
    environ = ENDPOINT | {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}
    assert read_settings(environ, is_asked=False).sample_ratio == ratio


def test_signals_are_turned_off_one_by_one():
    settings = read_settings(ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, is_asked=False)
    assert (settings.sample_ratio, settings.has_metrics) == (None, True)
    settings = read_settings(ENDPOINT | {"OTEL_METRICS_EXPORTER": "none"}, is_asked=False)
    assert (settings.sample_ratio, settings.has_metrics) == (DEFAULT_SAMPLE_RATIO, False)


def test_limits_are_taken_from_their_variables():
    environ = {
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5",
        "OTEL_BSP_MAX_QUEUE_SIZE": "100",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "60000",
    }
    settings = read_settings(ENDPOINT | environ, is_asked=False)
    assert (settings.timeout_s, settings.most_waiting, settings.batch_size) == (0.5, 100, 10)
    assert (settings.spans_every_s, settings.metrics_every_s) == (0.1, 60)


def test_everything_that_is_wrong_is_told_at_once():
    environ = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
        "OTEL_TRACES_EXPORTER": "zipkin",
        "OTEL_TRACES_SAMPLER": "jaeger_remote",
        "OTEL_TRACES_SAMPLER_ARG": "2",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "soon",
    }
    with pytest.raises(BadInput) as caught:
        read_settings(environ, is_asked=True)
    assert caught.value.problems == (
        "OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', wanted grpc or http/protobuf",
        "OTEL_TRACES_EXPORTER: 'zipkin', wanted otlp or none",
        (
            "OTEL_TRACES_SAMPLER: 'jaeger_remote', wanted traceidratio or always_on or always_off or "
            "parentbased_traceidratio or parentbased_always_on or parentbased_always_off"
        ),
        "OTEL_TRACES_SAMPLER_ARG: '2', wanted a number from 0 to 1",
        "OTEL_EXPORTER_OTLP_TIMEOUT: 'soon', wanted a number, 0.001 or more",
    )
