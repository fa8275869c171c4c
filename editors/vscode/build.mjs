// Bundles the extension into dist/extension.js, and the licences of what is in the bundle into dist/licenses.txt.
// node build.mjs [--watch]

import { context } from "esbuild";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

const watch = process.argv.includes("--watch");
const bundle = await context({
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  external: ["vscode"],
  minify: !watch,
  sourcemap: watch,
  metafile: true,
  logLevel: "info",
});
if (watch) {
  await bundle.watch();
} else {
  const { metafile } = await bundle.rebuild();
  await bundle.dispose();
  // The innermost package of each bundled file.
  const folders = Object.keys(metafile.inputs).map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]);
  const packages = [...new Set(folders.filter((folder) => folder && existsSync(`${folder}/package.json`)))].sort();
  writeFileSync("dist/licenses.txt", packages.map(license).join("\n\n"));
}

function license(folder) {
  const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${folder} brings no licence`);
  return `${name} ${version}\n\n${readFileSync(`${folder}/${file}`, "utf8").trim()}\n`;
}
