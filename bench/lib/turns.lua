-- For wrk: `wrk … url -- path [file turn]`. Visitors take turns, each with the Cookie header of one line of the file.
local requests = {}
local turn = 0

function init(args)
  if args[2] then
    for cookie in io.lines(args[2]) do
      requests[#requests + 1] = wrk.format('GET', args[1], { Cookie = cookie })
    end
    turn = tonumber(args[3])
  else
    requests[1] = wrk.format('GET', args[1])
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('DONE %d %d %d\n', summary.requests, summary.duration, failed))
end
