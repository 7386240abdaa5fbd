-- For wrk: asks a proxy for absolute URLs and reports what happened in one line of JSON.
-- Arguments: URL [fresh NONCE | among COUNT]: the URL as it is; another query each time; one of COUNT queries at random.

function init(args)
  local url, how, what = args[1], args[2], args[3]
  wrk.path = url
  wrk.headers["Host"] = url:match("^http://([^/]+)")
  if how == "fresh" then
    local number = 0
    request = function()
      number = number + 1
      return wrk.format(nil, url .. "?" .. what .. "-" .. number)
    end
  elseif how == "among" then
    local count = tonumber(what)
    request = function()
      return wrk.format(nil, url .. "?" .. math.random(0, count - 1))
    end
  end
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
