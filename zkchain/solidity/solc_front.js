#!/usr/bin/env node
// Makes npm's solc answer like a native solc, as far as py-solc-x asks: `--version`, and `--standard-json` on stdin.
// Usage: node solc_front.js <directory of the npm package solc> --version | --standard-json
"use strict";
const fs = require("fs");
const path = require("path");

const [directory, ...options] = process.argv.slice(2);

function version() {
  // from the package, not from the compiler: loading that takes a second
  const { version } = JSON.parse(fs.readFileSync(path.join(directory, "package.json"), "utf8"));
  return `solc, the solidity compiler commandline interface\nVersion: ${version}+commit.00000000.Emscripten.clang`;
}

if (options.includes("--version")) {
  console.log(version());
} else if (options.includes("--standard-json")) {
  const input = fs.readFileSync(0, "utf8");
  const output = require(path.resolve(directory)).compile(input);
  // a pipe takes 64 KiB at a time: leave by running out of work, not by process.exit
  process.stdout.write(output);
} else {
  console.error(`solc_front: expected --version or --standard-json, got ${options.join(" ") || "nothing"}`);
  process.exitCode = 1;
}
