-- For wrk: asks a proxy for one absolute URL (the argument) and reports what happened in one line of JSON.

function init(args)
  wrk.path = args[1]
  wrk.headers["Host"] = args[1]:match("^http://([^/]+)")
end

function done(summary, latency)
  local errors = summary.errors
  local fields = {
    requests = summary.requests,
    duration_us = summary.duration,
    p50_us = latency:percentile(50),
    p99_us = latency:percentile(99),
    connect_errors = errors.connect,
    read_errors = errors.read,
    write_errors = errors.write,
    timeouts = errors.timeout,
    bad_statuses = errors.status,
  }
  local members = {}
  for name, value in pairs(fields) do
    members[#members + 1] = string.format('"%s":%d', name, value)
  end
  io.write("REPORT {" .. table.concat(members, ",") .. "}\n")
end
