"""The JUnit properties."""

from xml.etree import ElementTree as ET

from tailgate.reports.junit import properties
from tailgate.reports.record import run_record
from tests.unit.judged_examples import check, failed_run, invalid_run, judged


def test_the_properties_carry_the_figures_of_the_record():
    record = run_record(failed_run())
    found = dict(properties(record))

    assert found["tailgate.spike.verdict"] == "fail"
    assert found["tailgate.spike.duration_s"] == "12.0"
    assert found["tailgate.spike.total.samples"] == "3211"
    assert found["tailgate.spike.request.POST Buy_Product.p95_ms"] == "250.4"
    assert found["tailgate.spike.stage.recovery.p95_ms"] == "412.0"
    assert found["tailgate.spike.counter.oversold_units"] == "2"
    assert found["tailgate.spike.check.total.POST Buy_Product.p95_ms"] == (
        "fail actual=250.4 max=250 samples=413 severity=fail"
    )
    assert found["tailgate.spike.check.recovery.total.p95_ms"] == (
        "fail actual=412.0 max=300 samples=1111 severity=fail"
    )


def test_every_request_figure_and_check_is_there():
    record = run_record(failed_run())
    names = [name for name, _ in properties(record)]

    assert len([name for name in names if ".request." in name]) == 8 * len(record["requests"])
    assert len([name for name in names if ".check." in name]) == len(record["checks"])


def test_a_figure_that_does_not_exist_is_left_out():
    found = dict(properties(run_record(invalid_run())))

    assert "tailgate.soak.total.p95_ms" not in found
    assert found["tailgate.soak.reason.1"] == "no samples: 0 requests in 3.0 s"
    assert found["tailgate.soak.check.total.total.p95_ms"] == "no_data max=250 samples=0 severity=fail"


def test_names_and_values_are_fit_for_xml():
    run = judged(
        scenario="a\x00b",
        reasons=("\x1b[31mred",),
        checks=(check("GET \x07\ufffe", "p95_ms", 1.0, max=2),),
        counters={"\uffff": 1},
    )
    root = ET.Element("properties")
    for name, value in properties(run_record(run)):
        ET.SubElement(root, "property", name=name, value=value)

    again = ET.fromstring(ET.tostring(root))

    assert [(item.get("name"), item.get("value")) for item in again] == properties(run_record(run))


def test_what_a_comparison_says_is_there_sentence_by_sentence():
    compared = judged(comparison=("peak against baseline 'main': unchanged", "  It sees p95 +13.9 % or beyond."))
    found = dict(properties(run_record(compared)))

    assert found["tailgate.peak.comparison.1"] == "peak against baseline 'main': unchanged"
    assert found["tailgate.peak.comparison.2"] == "It sees p95 +13.9 % or beyond."
