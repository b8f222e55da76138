#!/usr/bin/env node
// Runs npm's forge with npm's solc, and ends as forge ends: `npm test`. Not by way of the command `forge` of its npm
// package, which in 1.7.1 ends with 0 also when tests fail.
"use strict";
const { spawnSync } = require("node:child_process");
const path = require("node:path");

const machine = { arm64: "arm64", x64: "amd64" }[process.arch] ?? process.arch;
const program = process.platform === "win32" ? "forge.exe" : "forge";
const forge = require.resolve(`@foundry-rs/forge-${process.platform}-${machine}/bin/${program}`);
const env = { FOUNDRY_SOLC: path.join(__dirname, "solc.js"), ...process.env };
const done = spawnSync(forge, process.argv.slice(2), { stdio: "inherit", env });
if (done.error) throw done.error;
process.exitCode = done.status ?? 1;
