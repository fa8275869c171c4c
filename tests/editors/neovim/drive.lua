-- Runs in Neovim with the file open: waits for the server, looks, edits, saves. Says what it saw in $REPORT.
-- Goes with Neovim 0.7 and newer.

local report = io.open(vim.env.REPORT, "w")
local function say(key, ...)
  report:write(key, ": ", table.concat(vim.tbl_map(tostring, { ... }), " "), "\n")
  report:flush()
end

local function client()
  local all = vim.lsp.get_clients and vim.lsp.get_clients() or vim.lsp.get_active_clients()
  return all[1]
end
local function request(method, parameters)
  local answers = vim.lsp.buf_request_sync(0, method, parameters, 10000) or {}
  for _, answer in pairs(answers) do
    if answer.error then say("error", method, vim.inspect(answer.error):gsub("\n", " ")) end
    return answer.result
  end
end
local function wait(condition)
  return vim.wait(20000, condition, 20)
end
local function document()
  return vim.lsp.util.make_text_document_params()
end
local function range(line, column)
  local at = { line = line, character = column }
  return { start = at, ["end"] = at }
end
local function lines()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), "\n")
end

wait(function() return client() and client().initialized ~= false and client().server_capabilities end)
local server = client()
say("encoding", server.name == "asyncfix" and server.offset_encoding)

wait(function() return #vim.diagnostic.get(0) > 0 end)
local codes, last = {}, nil
for _, diagnostic in ipairs(vim.diagnostic.get(0)) do
  table.insert(codes, diagnostic.code)
  local text = vim.api.nvim_buf_get_lines(0, diagnostic.lnum, diagnostic.lnum + 1, true)[1]
  if text:find("🐍") and diagnostic.code == "AF201" then last = diagnostic end
end
say("codes", unpack(codes))
-- Neovim counts bytes; said in characters.
if last then
  local text = vim.api.nvim_buf_get_lines(0, last.lnum, last.lnum + 1, true)[1]
  say("wide", vim.fn.strchars(text:sub(1, last.col)) + 1)
end

local first
for _, diagnostic in ipairs(vim.diagnostic.get(0)) do
  if diagnostic.code == "AF101" then first = diagnostic end
end
local hover = request("textDocument/hover", {
  textDocument = document(), position = { line = first.lnum, character = first.col } })
say("hover", hover and vim.inspect(hover.contents):gsub("\n", " ") or "nothing")

-- A quick fix, by the editor's own means where it has them.
local actions = request("textDocument/codeAction", { textDocument = document(), range = range(first.lnum, first.col),
  context = { diagnostics = {}, only = { "quickfix" } } })
for _, action in ipairs(actions or {}) do
  if action.isPreferred then
    local edit = action.edit or request("codeAction/resolve", action).edit
    local old = lines()
    vim.lsp.util.apply_workspace_edit(edit, server.offset_encoding)
    vim.fn.writefile(vim.split(lines(), "\n"), "quick.py")
    vim.api.nvim_buf_set_lines(0, 0, -1, true, vim.split(old, "\n"))
    break
  end
end

-- An edit by keys that is not saved, and undone again: the server has to follow it.
vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes("Gox = '🐍'<Esc>dd", true, false, true), "xt", false)
local before = lines()
vim.cmd("silent write")
say("modified", vim.bo.modified)

-- What does not parse is saved as it is.
local saved = lines()
vim.api.nvim_buf_set_lines(0, 0, 0, true, { "async def broken(:" })
local broken = lines()
vim.cmd("silent write")
say("broken", lines() == broken and "kept" or "changed")
vim.api.nvim_buf_set_lines(0, 0, 1, true, {})
vim.cmd("silent write")
if lines() ~= saved then say("error", "the text differs") end

-- All fixes by a code action, in the text of before.
vim.api.nvim_buf_set_lines(0, 0, -1, true, vim.split(before, "\n"))
if vim.lsp.buf.code_action and vim.fn.has("nvim-0.8") == 1 then
  vim.lsp.buf.code_action({ context = { only = { "source.fixAll" }, diagnostics = {} }, apply = true })
  vim.wait(10000, function() return lines() ~= before end, 20)
else
  local found = request("textDocument/codeAction", { textDocument = document(), range = range(0, 0),
    context = { diagnostics = {}, only = { "source.fixAll" } } })
  for _, action in ipairs(found or {}) do
    local edit = action.edit or request("codeAction/resolve", action).edit
    vim.lsp.util.apply_workspace_edit(edit, server.offset_encoding)
  end
end
vim.fn.writefile(vim.split(lines(), "\n"), "again.py")

server.stop(server)
-- Neovim would end a server that still works on it.
vim.wait(10000, function() return vim.fn.filereadable(vim.env.ENDED) == 1 end, 20)
report:close()
