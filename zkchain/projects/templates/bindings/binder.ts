/** What a proof is bound to: a chain, a verifier, and 32 bytes that the contract which relies on it computes. */
import { concatHex, encodeAbiParameters, keccak256, numberToHex, pad } from "viem";
import type { Address, Hex } from "viem";
import type { Context } from "./proof.js";

/** A caller's turn at a consumer, and what may be added to it. */
export interface Turn {
  /** The contract that the proof is for. */
  readonly consumer: Address;
  /** Whose proof it is: who sends it, as a rule. */
  readonly caller: Address;
  /** The caller's turn, as the consumer counts. */
  readonly counter: bigint;
  /** The last second (block.timestamp) at which the proof may be used; left out: none. */
  readonly deadline?: bigint;
  /** Hash of what shall be done, for consumers that ask for one. */
  readonly action?: Hex;
}

/** The binder of one proof for one consumer, as the contract `ZkBinder` computes it. */
export function binder({ consumer, caller, counter, deadline = 0n, action }: Turn): Hex {
  for (const number of [counter, deadline]) {
    if (number < 0n || number >> 64n !== 0n) throw new RangeError(`expected a number in [0, 2^64), got ${number}`);
  }
  const types = [{ type: "address" }, { type: "address" }, { type: "uint256" }] as const;
  const bound = keccak256(encodeAbiParameters(types, [consumer, caller, (deadline << 64n) | counter]));
  return action === undefined || BigInt(action) === 0n ? bound : keccak256(concatHex([bound, pad(action)]));
}

/** keccak256(chain id || verifier || binder): what enters a CG16 proof's challenge. */
export function contextHash(context: Context): Hex {
  const { chainId, contract, binder } = context;
  return keccak256(concatHex([numberToHex(chainId, { size: 32 }), pad(contract, { size: 32 }), binder]));
}

/** The same for plain Groth16, which has no challenge: the context's highest 208 bits as four public inputs of 52. */
export function contextWords(context: Context): readonly [bigint, bigint, bigint, bigint] {
  const hash = BigInt(contextHash(context));
  const word = (i: number) => (hash >> BigInt(256 - 52 * (i + 1))) & ((1n << 52n) - 1n);
  return [word(0), word(1), word(2), word(3)];
}
