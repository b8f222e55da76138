/** The verifier contract by ethers 6, for projects that have it; everything else of these bindings is the same. */
import { Contract } from "ethers";
import type { ContractRunner, Signer, TransactionResponse } from "ethers";
import { verifierAbi } from "./abi.js";
import { model } from "./model.js";
import { encodeCall } from "./proof.js";
import type { Proof } from "./proof.js";
import { WrongVerifier } from "./verifier.js";

/** The contract as ethers has it, with its errors decoded. */
export function verifierContract(address: string, runner: ContractRunner): Contract {
  return new Contract(address, verifierAbi, runner);
}

/**
 * Verifies a proof in a call.
 *
 * @throws CALL_EXCEPTION of ethers, with the contract's error, unless the proof holds; WrongVerifier
 */
export async function verifyWithEthers(address: string, runner: ContractRunner, proof: Proof): Promise<void> {
  const provider = runner.provider;
  if (provider == null || runner.call == null) throw new Error("expected a runner that can call");
  if ((await provider.getCode(address)) === "0x") throw new WrongVerifier(`there is no contract at ${address}`);
  const contract = verifierContract(address, runner);
  const hash: unknown = await contract.getFunction("vkHash").staticCall();
  if (hash !== model.vkHash) {
    throw new WrongVerifier(`the contract at ${address} is of the key ${String(hash)}, expected ${model.vkHash}`);
  }
  const data = encodeCall(proof);
  const name = contract.interface.parseTransaction({ data })!.name;
  const values = contract.interface.decodeFunctionData(name, data).toArray(true); // arrays that ethers may write to
  await contract.getFunction(name).staticCall(...values);
}

/** Verifies a proof in a transaction, after a call: one that would revert is not sent. */
export async function submitWithEthers(address: string, signer: Signer, proof: Proof): Promise<TransactionResponse> {
  await verifyWithEthers(address, signer, proof);
  return signer.sendTransaction({ to: address, data: encodeCall(proof) });
}
