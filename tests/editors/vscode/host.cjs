// node host.cjs BASE FILE NAME: runs a test of tests.cjs inside the extension host of the workbench, on the file's folder.

const fs = require("fs");
const path = require("path");
const { inBrowser, waitFor } = require("./browser.cjs");

const [base, file, name] = process.argv.slice(2);

inBrowser(async (page) => {
  const log = process.env.TESTS;
  fs.rmSync(log, { force: true });
  fs.writeFileSync(path.join(path.dirname(file), "test-name"), name);
  const remote = (at) => `vscode-remote://${new URL(base).host}${at}`;
  const payload = [["extensionDevelopmentPath", remote(path.join(__dirname, "tests"))],
    ["extensionTestsPath", remote(path.join(__dirname, "tests", "tests.js"))]];
  let lifted = false;
  // A built workbench reads these two only for its own tests: the page's copy of it reads them always.
  await page.route(/workbench\/workbench\.js$/, async (route) => {
    const response = await route.fetch();
    const condition = /if\(this\.payload&&\(!this\.isBuilt\|\|this\.enableSmokeTestDriver\)\)/;
    const body = (await response.text()).replace(condition, () => {
      lifted = true;
      return "if(this.payload)";
    });
    await route.fulfill({ response, body });
  });
  await page.goto(`${base}/?folder=${path.dirname(file)}&payload=${encodeURIComponent(JSON.stringify(payload))}`);
  const read = () => (fs.existsSync(log) ? fs.readFileSync(log, "utf8") : "");
  await waitFor(() => /^end: /m.test(read()), 180000);
  console.log(read());
  if (!/^end: good$/m.test(read())) throw new Error(`the tests did not end well; the workbench took them: ${lifted}`);
});
