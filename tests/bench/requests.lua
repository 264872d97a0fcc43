-- Requests for wrk: GET over a set of prepared paths, or PUT under names that are new each time. Arguments: get PREFIX COUNT QUERY | put PREFIX BYTES QUERY.
local made, turn, mode, prefix, query, body, id, before, after = {}, 0, "get", "", "", "", 0, "", ""
local threads = 0

function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

function init(args)
  mode, prefix, query = args[1], args[2], args[4] or ""
  math.randomseed(os.time() + id * 7919)
  if mode == "get" then
    for i = 0, tonumber(args[3]) - 1 do
      made[i] = wrk.format("GET", prefix .. i .. query)
    end
  else
    local t = {}
    for i = 1, tonumber(args[3]) do t[i] = string.char(32 + (i * 7 + i / 64) % 90) end
    body = table.concat(t)
    local path = prefix .. string.format("%x-%d-", math.random(0, 0xfffffff), id)
    -- wrk.format once: building each head anew would cost the client more than the server spends on the request
    before, after = wrk.format("PUT", path .. "@" .. query, nil, body):match("^(PUT [^@]*)@(.*)$")
  end
end

function request()
  turn = turn + 1
  if mode == "get" then
    return made[turn % (#made + 1)]
  end
  return before .. turn .. after
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %.1f %.1f %.1f\n", summary.requests, summary.duration, summary.bytes,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99), latency.max))
end
