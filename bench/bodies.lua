-- For wrk: each request POSTs the next line of the file named on the command line, once.
local lines = {}
local position = 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    lines[#lines + 1] = line
  end
end

function request()
  position = position + 1
  if position > #lines then
    wrk.thread:stop()
  end
  return wrk.format("POST", nil, {["Content-Type"] = "application/json"}, lines[position] or lines[#lines])
end
