// snarkjs's Groth16 on files that scripts/bench wrote.
//
//     node snarkjs.cjs KEY.zkey WITNESS.wtns PROOF.json RUNS
//
// Prints one line of JSON: seconds and CPU seconds of each proof, and seconds of reading the key into memory.

const fs = require("fs");
const os = require("os");

// snarkjs starts a worker for each processor that it is told of, and offers no other way to limit them.
const processors = os.cpus().slice(0, Number(process.env.BENCH_THREADS) || undefined);
os.cpus = () => processors;

const snarkjs = require("snarkjs");

const now = () => Number(process.hrtime.bigint()) / 1e9;
const cpuNow = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

(async () => {
  const [keyPath, witnessPath, out, runs] = process.argv.slice(2);
  const start = now();
  const key = new Uint8Array(fs.readFileSync(keyPath));
  const load = now() - start;
  const witness = new Uint8Array(fs.readFileSync(witnessPath));
  const prove = [];
  const cpu = [];
  for (let i = 0; i < Number(runs); i++) {
    const [begin, before] = [now(), cpuNow()];
    const result = await snarkjs.groth16.prove({ type: "mem", data: key }, { type: "mem", data: witness });
    prove.push(now() - begin);
    cpu.push(cpuNow() - before);
    fs.writeFileSync(out, JSON.stringify(result));
  }
  console.log(JSON.stringify({ load, prove, cpu }));
  process.exit(0);
})();
