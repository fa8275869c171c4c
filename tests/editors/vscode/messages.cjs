// node messages.cjs BASE FILE FOLDER [--crash SERVERS] TEXT ...: what is said when there is no server. Each text has to stand
// in the message or on its buttons. With --crash, each server whose number is written into the file SERVERS is killed.

const fs = require("fs");
const { check, inBrowser, openFile, waitFor } = require("./browser.cjs");

const [base, file, folder, ...rest] = process.argv.slice(2);
const servers = rest[0] === "--crash" ? rest.splice(0, 2)[1] : undefined;

inBrowser(async (page) => {
  const toasts = async () => (await page.locator(".notification-toast").allInnerTexts()).join("\n");
  await openFile(page, base, file);
  const killed = new Set();
  const kill = async () => {
    if (!servers || !fs.existsSync(servers)) return;
    // Not before it has answered: that is no crash but a failure to start.
    if ((await page.locator(".monaco-editor .squiggly-warning").count()) === 0) return;
    const started = fs.readFileSync(servers, "utf8").split(/\s+/).filter(Boolean).map(Number);
    for (const number of started.filter((one) => !killed.has(one))) {
      killed.add(number);
      process.kill(number, "SIGKILL");
    }
  };
  const first = rest[0];
  const said = await waitFor(async () => {
    await kill();
    const text = await toasts();
    return text.includes(first) ? text : "";
  }, 90000);
  for (const text of rest) check(`the message says "${text}"`, said.includes(text), said || (await toasts()));
  if (servers) check("the server was started five times", killed.size === 5, String(killed.size));
  await page.locator("#status\\.languageStatus").first().hover();
  await page.waitForTimeout(1200);
  const status = (await page.locator(".monaco-hover, .hover-language-status").allInnerTexts()).join("\n");
  check("the status says that it does not run", /asyncfix does not run/.test(status), status);
}, folder);
