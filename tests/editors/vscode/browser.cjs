// A headless Chromium with the workbench in it, and how the tests say what they saw.

const fs = require("fs");
const os = require("os");
const path = require("path");
const { chromium } = require(process.env.PLAYWRIGHT);

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];

/** Runs a test in a new browser. The test fails with an exception, or by `check`. */
exports.inBrowser = async (test, pictures) => {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "asyncfix-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1000, height: 700 },
    args: FLAGS,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  let status = 1;
  try {
    await test(page);
    status = 0;
  } catch (error) {
    console.log(String(error?.stack ?? error));
    if (pictures) await page.screenshot({ path: path.join(pictures, "failed.png") }).catch(() => undefined);
  }
  await context.close();
  fs.rmSync(profile, { recursive: true, force: true });
  process.exit(status);
};

exports.check = (what, good, detail = "") => {
  console.log(`${good ? "ok" : "not ok"}: ${what}`);
  if (!good) console.log(`    ${String(detail).replace(/\n/g, "\n    ")}`);
};

/** Opens the file in the workbench of its folder. */
exports.openFile = async (page, base, file) => {
  await page.goto(`${base}/?folder=${path.dirname(file)}`, { waitUntil: "domcontentloaded" });
  await page.waitForSelector(".monaco-workbench .explorer-folders-view", { timeout: 60000 });
  await page.locator(".explorer-folders-view .monaco-list-row", { hasText: path.basename(file) }).first().dblclick();
  await page.waitForSelector(".monaco-editor .view-line", { timeout: 30000 });
};

exports.waitFor = async (condition, milliseconds = 20000) => {
  const end = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value || Date.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
