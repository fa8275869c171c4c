// node clicks.cjs BASE FILE FOLDER [PICTURES]: what a user sees and does, by keys and clicks.

const fs = require("fs");
const path = require("path");
const { check, inBrowser, openFile, waitFor } = require("./browser.cjs");

const [base, file, folder, pictures] = process.argv.slice(2);
const SQUIGGLE = ".monaco-editor .squiggly-warning, .monaco-editor .squiggly-error";
const HOVER = ".monaco-hover:not(.hidden)";
const ROW = ".action-widget .monaco-list-row";

inBrowser(async (page) => {
  const picture = (name) => page.screenshot({
    path: path.join(pictures ?? folder, `vscode-${name}.png`), clip: { x: 0, y: 0, width: 1000, height: 560 } });
  /** Puts the cursor into a line, with the mouse where it hovers over nothing. */
  const line = async (number, column) => {
    await page.mouse.move(900, 350);
    const there = () => page.locator(".statusbar-item", { hasText: `Ln ${number}, Col ${column}` }).count();
    const focus = () => page.locator(".monaco-editor .native-edit-context, .monaco-editor textarea").first().focus();
    for (let tries = 0; tries < 5 && !(await there()); tries++) {
      await page.keyboard.press("Escape");
      await page.waitForTimeout(300);
      await focus();
      await page.keyboard.press("Control+g");
      await page.waitForTimeout(400);
      await page.keyboard.type(`${number}:${column}`, { delay: 20 });
      await page.keyboard.press("Enter");
      await page.waitForTimeout(400);
    }
    await focus();
  };
  const text = fs.readFileSync(file, "utf8").split("\n");
  const at = (part) => text.findIndex((one) => one.includes(part)) + 1;

  await openFile(page, base, file);
  // The folder is not part of the pictures.
  await page.keyboard.press("Control+b");
  await page.waitForSelector(SQUIGGLE, { timeout: 60000 });
  await page.waitForTimeout(500);
  const seen = await page.locator(SQUIGGLE).count();
  check("problems are underlined", seen > 0);

  await page.keyboard.press("Control+Shift+m");
  await page.waitForSelector(".markers-panel .monaco-list-row");
  const panel = (await page.locator(".markers-panel .monaco-list-row").allInnerTexts()).join("\n");
  check("the list of problems has codes and the source", /asyncfix/.test(panel) && /AF101/.test(panel), panel);
  await page.keyboard.press("Control+Shift+m");
  await page.waitForTimeout(300);

  await line(at("result = fetch(1)"), 16);
  await page.keyboard.press("Control+k");
  await page.keyboard.press("Control+i");
  await page.waitForSelector(HOVER, { timeout: 10000 });
  await page.waitForTimeout(700);
  const hover = (await page.locator(HOVER).allInnerTexts()).join("\n");
  check("a hover shows the problem, its code and the rule", /missing `?await`?/.test(hover) && /AF101/.test(hover), hover);
  await picture("hover");
  await page.keyboard.press("Escape");

  await line(at("    time.sleep(1)"), 8);
  await page.keyboard.press("Control+.");
  await page.waitForSelector(ROW, { timeout: 10000 });
  await page.waitForTimeout(400);
  await picture("quickfix");
  const fixes = (await page.locator(ROW).allInnerTexts()).map((one) => one.trim()).filter(Boolean);
  check("quick fixes: the fix, all of the rule, a comment", ["Fix: ", "Fix all AF201", "Suppress AF201"].every(
    (start) => fixes.some((one) => one.startsWith(start))), fixes.join(" | "));
  await page.keyboard.press("Escape");

  await line(at("result = fetch(1)"), 16);
  await page.keyboard.press("Control+.");
  await page.waitForSelector(ROW, { timeout: 10000 });
  await page.keyboard.press("Enter");
  const shown = async () => (await page.locator(".view-lines").first().innerText()).replace(/\u00a0/g, " ");
  check("the first one is the fix", await waitFor(async () => (await shown()).includes("await fetch(1)")), await shown());

  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+End");
  await page.keyboard.type("\n\nprint('🐍')\n", { delay: 10 });
  await page.waitForTimeout(300);
  const before = fs.readFileSync(file, "utf8");
  await page.keyboard.press("Control+s");
  check("saving writes the file", await waitFor(() => fs.readFileSync(file, "utf8") !== before));
  check("no problem is underlined any more", await waitFor(async () => (await page.locator(SQUIGGLE).count()) === 0));

  // The status: which asyncfix runs.
  await page.locator("#status\\.languageStatus").first().hover();
  await page.waitForTimeout(1200);
  const status = (await page.locator(".monaco-hover, .hover-language-status").allInnerTexts()).join("\n");
  check("the status names the version", /asyncfix \d/.test(status), status);
}, folder);
