/** What a CG16 proof is bound to: a chain, a verifier, and 32 bytes that the calling contract computes. */
import { concatHex, encodeAbiParameters, keccak256, numberToHex, pad } from "viem";
import type { Address, Hex } from "viem";
import type { Context } from "./proof.js";

/** The binder of a caller's proof with a number, as the contract `ZkBinder` computes it (`forCaller`). */
export function forCaller(caller: Address, nonce: bigint): Hex {
  return keccak256(encodeAbiParameters([{ type: "address" }, { type: "uint256" }], [caller, nonce]));
}

/** keccak256(chain id || verifier || binder): what enters the proof's challenge. */
export function contextHash(context: Context): Hex {
  const { chainId, contract, binder } = context;
  return keccak256(concatHex([numberToHex(chainId, { size: 32 }), pad(contract, { size: 32 }), binder]));
}
