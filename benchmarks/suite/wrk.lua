-- What wrk sends, and a line that says what it has found.
wrk.method = os.getenv("BENCHMARK_METHOD")
if wrk.method == "POST" then
  wrk.body = os.getenv("BENCHMARK_BODY")
  wrk.headers["Content-Type"] = "application/json"
end

function done(_, latency, _)
  local function ms(q) return latency:percentile(q) / 1000 end
  print(string.format("REPORTED %f %f %f", ms(50), ms(95), ms(99)))
end
