#!/usr/bin/env node
// npm's solc as forge asks a native one: `--version`, and `--standard-json` on stdin. For machines that cannot download
// solc's binaries; tools/forge.js sets FOUNDRY_SOLC to this file.
"use strict";
const fs = require("node:fs");

const options = process.argv.slice(2);
if (options.includes("--version")) {
  const { version } = require("solc/package.json");
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${version}+commit.00000000.Emscripten.clang`);
} else if (options.includes("--standard-json")) {
  const answer = require("solc").compile(fs.readFileSync(0, "utf8"));
  process.stdout.write(answer); // a pipe takes a part at a time: leave by running out of work
} else {
  console.error(`expected --version or --standard-json, got ${options.join(" ") || "nothing"}`);
  process.exitCode = 1;
}
