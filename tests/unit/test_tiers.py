"""Where the time went: servers' reports joined to samples, in figures and in a sentence."""

import numpy as np
import pytest

from tailgate.judge import judge_run
from tailgate.model import Stage, TierFigures, TierSummary, Window
from tailgate.samples import Outcome, SampleLog
from tailgate.tiers import explain_checks, summarise_tiers, usual_tiers, with_tiers
from tests.unit.run_examples import checks_of, request, run, scenario, total

FIRST = 4_000_000_000_000_000_000
"""A number that a run may begin with."""
SLOW_DATABASE = {"nginx": 1.0, "service": 3.0, "database": 90.0}
SLOW_SERVICE = {"nginx": 1.0, "service": 190.0, "database": 2.0}
QUICK = {"nginx": 1.0, "service": 3.0, "database": 2.0}
STAGES = (Stage(name="normal", duration_s=5.0, users=5), Stage(name="spike", duration_s=5.0, users=50))


class Requests:
    """Requests with what the servers told of each."""

    def __init__(self):
        self.log = SampleLog(is_numbered=True)
        self.told = []

    def add(self, count, latency_ms, tiers=None, *, key="GET Home", start_s=0.0, outcome=Outcome.SUCCESS):
        """Add equal requests, of which no server told if ``tiers`` is None."""
        for _ in range(count):
            number = FIRST + len(self.log)
            self.log.add(*key.split(), start_s, latency_ms, outcome, number)
            if tiers is not None:
                self.told.append((str(number), tiers))
        return self

    @property
    def samples(self):
        return with_tiers(self.log.freeze(), self.told)

    def run(self, **changes):
        return run(**{"samples": self.samples, **changes})


def breakdowns(one, *thresholds):
    return [check.breakdown for check in explain_checks(one, checks_of(one, *thresholds))]


def test_the_generator_has_what_no_server_took():
    samples = Requests().add(1, 10.0, {"nginx": 0.5, "service": 3.0, "database": 6.0}).samples
    assert samples.tiers == ("network and generator", "nginx", "service", "database")
    assert samples.tier_ms.T.tolist() == [[0.5, 0.5, 3.0, 6.0]]


def test_servers_that_round_up_leave_the_generator_nothing_less_than_nothing():
    samples = Requests().add(1, 2.5, {"nginx": 0.0, "service": 3.0}).samples
    assert samples.tier_ms.T.tolist() == [[0.0, 0.0, 3.0]]


def test_a_tier_that_a_request_never_reached_took_none_of_its_time():
    samples = Requests().add(1, 2.0, {"nginx": 1.0}).add(1, 5.0, {"nginx": 1.0, "service": 3.0}).samples
    assert samples.tiers == ("network and generator", "nginx", "service")
    assert samples.tier_ms.T.tolist() == [[1.0, 1.0, 0.0], [1.0, 1.0, 3.0]]


def test_a_request_that_was_redirected_took_the_time_of_both():
    requests = Requests().add(1, 10.0, {"service": 3.0})
    requests.told *= 2
    assert requests.samples.tier_ms.T.tolist() == [[4.0, 6.0]]


def test_reports_are_joined_in_whichever_order_they_come():
    requests = Requests().add(1, 10.0, {"service": 1.0}, start_s=2.0).add(1, 20.0, {"service": 2.0}, start_s=1.0)
    requests.told.reverse()
    samples = requests.samples
    assert samples.latency_ms.tolist() == [20.0, 10.0]
    assert samples.tier_ms[1].tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    "stranger",
    ["", "abc", "1", str(FIRST - 1), str(FIRST + 1), "-1", "9" * 400, "5f3c1b7e2a9d4c6f8e0b1a2c3d4e5f60", "²"],
)
def test_what_is_told_of_other_requests_is_left_out(stranger):
    requests = Requests().add(1, 10.0, {"service": 1.0})
    requests.told.append((stranger, {"service": 1_000.0, "elsewhere": 1.0}))
    assert requests.samples.tiers == ("network and generator", "service")
    assert requests.samples.tier_ms.T.tolist() == [[9.0, 1.0]]


def test_requests_that_no_server_told_of_have_no_tiers():
    samples = Requests().add(1, 10.0).add(1, 10.0, {"service": 1.0}).samples
    assert np.isnan(samples.tier_ms).T.tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize("requests", [Requests(), Requests().add(3, 10.0)], ids=["none", "three"])
def test_without_reports_there_are_no_tiers(requests):
    assert (requests.samples.tiers, requests.samples.tier_ms) == ((), None)
    assert summarise_tiers(requests.samples) == {}


def test_samples_without_numbers_are_no_ones():
    log = SampleLog(is_numbered=True)
    log.add("GET", "Home", 0.0, 10.0, Outcome.SUCCESS)
    assert with_tiers(log.freeze(), [("0", {"service": 1.0})]).tier_ms is None


def test_a_window_keeps_the_tiers_of_its_requests():
    requests = Requests().add(1, 10.0, {"service": 1.0}, start_s=1.0).add(1, 10.0, {"service": 2.0}, start_s=6.0)
    late = requests.samples.within(Window(name="late", start_s=5.0, end_s=9.0))
    assert (late.tiers, late.tier_ms.T.tolist()) == (("network and generator", "service"), [[8.0, 2.0]])


def test_each_name_and_all_together_have_figures():
    requests = Requests().add(94, 10.0, QUICK).add(6, 100.0, SLOW_DATABASE).add(50, 5.0, {"nginx": 4.0}, key="GET Css")
    summaries = summarise_tiers(requests.samples)
    assert list(summaries) == ["GET Css", "GET Home", "total"]
    assert summaries["GET Home"] == TierSummary(
        samples=100,
        slowest=6,
        tiers=(
            TierFigures(name="network and generator", p95_ms=6.0, slowest_ms=6.0),
            TierFigures(name="nginx", p95_ms=1.0, slowest_ms=1.0),
            TierFigures(name="service", p95_ms=3.0, slowest_ms=3.0),
            TierFigures(name="database", p95_ms=90.0, slowest_ms=90.0),
        ),
    )
    assert summaries["total"].samples == 150


def test_the_slowest_are_told_apart_by_their_whole_latency():
    """One tier may be slow in requests that are quick as a whole: they are not why the p95 is high."""
    requests = Requests().add(90, 20.0, {"service": 15.0}).add(10, 50.0, {"service": 2.0})
    (generator, service) = summarise_tiers(requests.samples)["total"].tiers
    assert (service.p95_ms, service.slowest_ms) == (15.0, 2.0)
    assert (generator.p95_ms, generator.slowest_ms) == (48.0, 48.0)


def test_failures_and_requests_that_no_server_told_of_count_for_nothing():
    requests = Requests().add(3, 10.0, QUICK).add(5, 900.0, SLOW_SERVICE, outcome=Outcome.FAILURE).add(4, 10.0)
    summary = summarise_tiers(requests.samples)["total"]
    assert summary.samples == 3
    assert max(tier.p95_ms for tier in summary.tiers) == 4.0


def test_a_name_of_which_no_server_told_has_no_figures():
    requests = Requests().add(3, 10.0, QUICK).add(3, 10.0, key="GET Css")
    assert list(summarise_tiers(requests.samples)) == ["GET Home", "total"]


def test_a_judged_run_has_the_figures_of_its_window_without_the_warmup():
    requests = Requests().add(100, 100.0, SLOW_DATABASE, start_s=0.5).add(70, 10.0, QUICK, start_s=2.0)
    judged = judge_run(requests.run(warmup_s=1.0), scenario(total("p95_ms", max=50)))
    assert judged.tiers["total"].samples == 70


def test_the_breach_of_a_latency_says_which_tier_holds_the_most():
    one = Requests().add(94, 10.0, QUICK).add(6, 100.0, SLOW_DATABASE).run()
    sentence = "database took 90.0 of 100 ms in the 6 slowest"
    assert breakdowns(one, total("p95_ms", max=50), request("GET Home", "p95_ms", max=50)) == [sentence] * 2


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        ("p50_ms", "database took 14.6 of 20.2 ms in the 7 slowest"),
        ("p95_ms", "database took 90.0 of 100 ms in the slowest"),
        ("max_ms", "database took 90.0 of 100 ms in the slowest"),
        ("mean_ms", "database took 10.8 of 14.9 ms in all 10"),
    ],
)
def test_the_slowest_are_those_that_the_metric_is_about(metric, sentence):
    requests = Requests().add(3, 2.5, {"nginx": 0.0, "service": 0.5, "database": 2.0})
    one = requests.add(6, 6.9, QUICK).add(1, 100.0, SLOW_DATABASE).run()
    assert breakdowns(one, total(metric, max=1)) == [sentence]


def test_only_latencies_that_broke_their_limit_are_explained():
    one = Requests().add(70, 10.0, QUICK).add(2, 1.0, QUICK, outcome=Outcome.FAILURE).run()
    assert breakdowns(one, total("p95_ms", max=50), total("failure_ratio", max=0)) == ["", ""]


def test_a_breach_that_no_server_told_of_is_left_as_it_is():
    one = Requests().add(70, 100.0).add(70, 10.0, QUICK, key="GET Css").run()
    checks = checks_of(one, request("GET Home", "p95_ms", max=50))
    assert explain_checks(one, checks) == checks


def test_a_breach_is_as_it_was_where_nothing_tells():
    one = Requests().add(70, 100.0).run()
    checks = checks_of(one, total("p95_ms", max=50))
    assert explain_checks(one, checks) == checks


def test_the_sentence_ends_the_message_of_the_check():
    (check,) = judge_run(Requests().add(70, 100.0, SLOW_DATABASE).run(), scenario(total("p95_ms", max=50))).checks
    assert str(check).startswith("total: p95 100 ms breaks <= 50 ms (n = 70; thresholds.yaml:5)")
    assert str(check).endswith("; database took 90.0 of 100 ms in the 70 slowest")


def stages(before, after):
    """Return a run of two stages, of 70 equal requests each."""
    return Requests().add(70, *before, start_s=1.0).add(70, *after, start_s=6.0).run(stages=STAGES)


@pytest.mark.parametrize("limit", [total("p95_ms", max=50, stage="spike"), total("p95_ms", max=50)])
def test_a_tier_that_grew_since_the_first_stage_is_told_with_what_it_was(limit):
    one = stages((10.0, QUICK), (100.0, SLOW_DATABASE))
    assert breakdowns(one, limit) == ["database took 90.0 of 100 ms in the 70 slowest, up from 2.0 ms in stage normal"]


def test_another_tier_may_have_grown_than_the_one_that_holds_the_most():
    one = stages((210.0, SLOW_SERVICE), (300.0, SLOW_SERVICE | {"database": 90.0}))
    sentence = (
        "service took 190 of 300 ms in the 70 slowest; database grew most, from 2.0 ms in stage normal to 90.0 ms"
    )
    assert breakdowns(one, total("p95_ms", max=250, stage="spike")) == [sentence]


def test_growth_within_noise_is_not_told():
    one = stages((200.0, SLOW_SERVICE), (230.0, SLOW_SERVICE | {"service": 220.0}))
    assert breakdowns(one, total("p95_ms", max=50, stage="spike")) == ["service took 220 of 230 ms in the 70 slowest"]


def test_the_first_stage_has_nothing_to_have_grown_from():
    one = stages((100.0, SLOW_DATABASE), (10.0, QUICK))
    sentence = "database took 90.0 of 100 ms in the 70 slowest"
    assert breakdowns(one, total("p95_ms", max=50, stage="normal"), total("p95_ms", max=50)) == [sentence] * 2


def test_a_request_that_the_first_stage_did_not_have_has_nothing_to_have_grown_from():
    requests = Requests().add(70, 10.0, QUICK, key="GET Css", start_s=1.0).add(70, 100.0, SLOW_DATABASE, start_s=6.0)
    sentence = "database took 90.0 of 100 ms in the 70 slowest"
    assert breakdowns(requests.run(stages=STAGES), request("GET Home", "p95_ms", max=50, stage="spike")) == [sentence]


USUAL = {"GET Home": {"network and generator": 6.0, "nginx": 1.0, "service": 3.0, "database": 4.0}}


def beside_saved(metric="p95_ms", **limit):
    """Return the breakdown of a breach that is told beside saved runs, of two stages that are alike."""
    one = stages((100.0, SLOW_DATABASE), (100.0, SLOW_DATABASE))
    (check,) = judge_run(one, scenario(request("GET Home", metric, max=50, **limit)), usual=USUAL).checks
    return check.breakdown


def test_a_tier_that_grew_since_saved_runs_is_told_with_what_it_was():
    assert beside_saved() == "database took 90.0 of 100 ms in the 140 slowest, up from 4.0 ms in saved runs"


@pytest.mark.parametrize("other", [{"stage": "spike"}, {"metric": "p50_ms"}], ids=["stage", "metric"])
def test_saved_runs_tell_of_the_p95_of_a_whole_run_alone(other):
    assert "saved" not in beside_saved(**other)


def test_what_is_usual_is_the_median_of_saved_runs():
    runs = [{"total": {"service": 1.0, "database": 5.0}}, {"total": {"service": 9.0}}, {"total": {"service": 2.0}}, {}]
    assert usual_tiers(runs) == {"total": {"service": 2.0, "database": 5.0}}
