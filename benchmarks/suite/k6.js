// What k6 sends, and a line that says what it has found.
import http from "k6/http";

export const options = { summaryTrendStats: ["p(50)", "p(95)", "p(99)"] };
const url = __ENV.BENCHMARK_HOST + __ENV.BENCHMARK_PATH;
const body = JSON.parse(__ENV.BENCHMARK_BODY);
const json = { headers: { "Content-Type": "application/json" } };

export default function () {
  if (__ENV.BENCHMARK_METHOD === "POST") {
    http.post(url, JSON.stringify(body), json);
  } else {
    http.get(url);
  }
}

export function handleSummary(data) {
  const ms = data.metrics.http_req_duration.values;
  return { stdout: `REPORTED ${ms["p(50)"]} ${ms["p(95)"]} ${ms["p(99)"]}\n` };
}
