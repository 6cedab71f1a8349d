-- What wrk sends.  Its one argument is a plan: a Lua file, written by load.py,
-- that returns one of
--
--     { mode = "list", requests = { "GET ...", ... } }
--         the same requests over and over, each thread from its own place;
--     { mode = "put",  items = { {path, number}, ... }, before = "PUT ",
--       after = " HTTP/1.1...", head = "...", tail = "..." }
--         one PUT for each item, its body head .. number .. tail;
--     { mode = "push", ... as put, start = "POST ..." }
--         for each item a POST first, whose Location takes the place of path,
--         with path as its digest.
--
-- Each thread takes every n-th item, so that no content is sent twice.

local threads = {}
local plan, step, last
local locations = {}
good, bad = 0, 0


function setup(thread)
    thread:set("first", #threads + 1)
    threads[#threads + 1] = thread
end


function init(args)
    plan = dofile(args[1])
    step = tonumber(args[2])

    if plan.mode == "list" then
        last = first * 7
        response = nil
    else
        last = first - step
    end
end


local function put(path, item)
    local body = plan.head .. string.format("%012d", item[2]) .. plan.tail

    return plan.before .. path .. plan.after
        .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
end


-- The next item of this thread; the last one again when there is none, and
-- then the thread stops.

local function next_item()
    if last + step > #plan.items then
        wrk.thread:stop()
        return plan.items[last]
    end

    last = last + step
    return plan.items[last]
end


function request()
    if plan.mode == "list" then
        last = last + 1
        return plan.requests[last % #plan.requests + 1]
    end

    if plan.mode == "put" then
        local item = next_item()
        return put(item[1], item)
    end

    if #locations == 0 then
        return plan.start
    end

    local item = next_item()
    local location = table.remove(locations)
    local join = location:find("?", 1, true) and "&" or "?"
    return put(location .. join .. "digest=" .. item[1], item)
end


local function header(headers, name)
    for key, value in pairs(headers) do
        if key:lower() == name then
            return value
        end
    end
end


function response(status, headers)
    if status == 202 then
        local location = header(headers, "location"):gsub("^%a+://[^/]+", "")
        locations[#locations + 1] = location
    elseif status == 201 or status == 204 then
        good = good + 1
    else
        bad = bad + 1
    end
end


function done(summary)
    local stored, refused = 0, 0

    for _, thread in ipairs(threads) do
        stored = stored + (thread:get("good") or 0)
        refused = refused + (thread:get("bad") or 0)
    end

    local errors = summary.errors
    print(string.format("RESULT %d %d %d %d %d %d",
        summary.requests, summary.duration, summary.bytes, stored,
        errors.status + refused,
        errors.connect + errors.read + errors.write + errors.timeout))
end
