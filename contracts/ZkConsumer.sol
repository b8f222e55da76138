// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifier} from "./interfaces/IZkVerifier.sol";
import {IZkVerifierErrors} from "./interfaces/IZkVerifierErrors.sol";
import {ZkBinder} from "./ZkBinder.sol";
import {ZkReplayGuard} from "./ZkReplayGuard.sol";
import {ZkVerdict} from "./ZkVerdict.sol";

/// @title Base of contracts that rely on proofs of one circuit
/// @notice A proof that it takes was made for this chain, this verifier, this contract, this caller and this turn of
/// his: it cannot be copied, shown elsewhere, or sent twice, and a re-randomised copy of it is the same turn.
/// @dev How a proof is bound. CG16: its challenge covers the context, `verifyBound`. Plain Groth16 has no challenge:
/// the circuit has a public input, by custom called `binder`, of four integers from 0 to 2^52 - 1 that nothing else
/// need read, and the prover puts the context's 208 highest bits there; this contract compares them. (A public input
/// has constraints, its range, so its point of the key is not infinity: another value needs another proof.)
abstract contract ZkConsumer is ZkReplayGuard, IZkVerifierErrors {
    /// @notice There is no contract at the address given for the verifier: calls to it would succeed.
    error NoContract(address verifier);
    /// @notice The verifier given checks proofs of another key.
    error AnotherKey(bytes32 got, bytes32 expected);
    /// @notice The public inputs were made for another chain, verifier, consumer, caller, counter or action.
    error AnotherContext(bytes32 expected);

    /// @notice `bindingWord` of circuits whose proofs are bound by their challenge (CG16).
    uint256 internal constant BY_CHALLENGE = type(uint256).max;

    /// @notice The verifier of the one circuit that this contract is about.
    IZkVerifier public immutable verifier;
    /// @notice Hash of the verifying key whose proofs are taken.
    bytes32 public immutable vkHash;
    /// @notice The contract that proofs are bound to.
    address public immutable boundTo;
    /// @notice Number of the first of four public words that hold the context, or 2^256 - 1: the challenge does.
    uint256 public immutable bindingWord;
    /// @notice Gas that a call of the verifier gets in `_tryVerify`: with it a valid proof verifies.
    uint256 public immutable verifierGas;

    /// @notice Looks at the verifier once, and keeps it for ever.
    /// @param verifier_ Verifier of the circuit
    /// @param vkHash_ The key that this contract is about: pinned here, and never a user's choice
    /// @param bindingWord_ BY_CHALLENGE for CG16; else the number of the first public word of the input `binder`
    /// @param verifierGas_ Gas for a try, from `zkchain solidity --types` (VERIFIER_GAS); 0 where `_tryVerify` is not
    /// used
    constructor(IZkVerifier verifier_, bytes32 vkHash_, uint256 bindingWord_, uint256 verifierGas_) {
        if (address(verifier_).code.length == 0) revert NoContract(address(verifier_));
        bytes32 got = verifier_.vkHash();
        if (got != vkHash_) revert AnotherKey(got, vkHash_);
        verifier = verifier_;
        vkHash = vkHash_;
        boundTo = verifier_.boundTo();
        bindingWord = bindingWord_;
        verifierGas = verifierGas_;
    }

    /// @dev Takes a proof of the sender's; reverts unless it is valid for `instance` and bound to this turn of his.
    function _verify(bytes calldata proof, uint256[] calldata instance) internal {
        _verifyFor(msg.sender, 0, 0, "", proof, instance);
    }

    /// @notice Takes a proof of somebody's, whoever sends it; reverts unless it is valid and bound to his turn.
    /// @dev That it is bound to `caller` does not say that he made it: anybody with the proving key makes such proofs, of
    /// inputs of his own. `consent` is his signature under this one.
    /// @param caller Whose proof it is
    /// @param deadline Last second at which it may be used; 0: none
    /// @param action Hash of what shall be done, with all of its arguments: what the sender could choose otherwise has to
    /// be in it; 0: none
    /// @param consent The caller's signature of `consentDigest`; nothing where he is the sender
    /// @param proof The proof's elements
    /// @param instance Public inputs
    function _verifyFor(
        address caller,
        uint64 deadline,
        bytes32 action,
        bytes memory consent,
        bytes calldata proof,
        uint256[] calldata instance
    ) internal {
        bytes32 binder = _binder(caller, deadline, action);
        _requireConsent(caller, binder, consent, proof, instance);
        _count(caller);
        _check(binder, proof, instance);
    }

    /// @notice As `_verifyFor`, and answers instead of reverting on a proof that is wrong.
    /// @dev It answers only of proofs that the caller sent or signed, so "wrong" can be held against him, and either
    /// answer takes his turn, so it can be held against him once. Reverts with GasTooLow where the transaction has less
    /// gas than a valid proof needs, so that no relayer can make one look invalid.
    /// @param caller Whose proof it is
    /// @param deadline Last second at which it may be used; 0: none
    /// @param action Hash of what shall be done, as for `_verifyFor`; 0: none
    /// @param consent The caller's signature of `consentDigest`; nothing where he is the sender
    /// @param proof The proof's elements
    /// @param instance Public inputs
    /// @return valid Whether the proof is valid for `instance` and bound to this turn
    function _tryVerifyFor(
        address caller,
        uint64 deadline,
        bytes32 action,
        bytes memory consent,
        bytes calldata proof,
        uint256[] calldata instance
    ) internal returns (bool valid) {
        bytes32 binder = _binder(caller, deadline, action);
        _requireConsent(caller, binder, consent, proof, instance);
        _count(caller);
        return _isValid(binder, proof, instance);
    }

    /// @dev Reverts unless the proof is valid for `instance` and bound to `binder`. Whether the binder was used before,
    /// and who made the proof, is the caller's to know.
    function _check(bytes32 binder, bytes calldata proof, uint256[] calldata instance) internal view {
        if (bindingWord == BY_CHALLENGE) {
            verifier.verifyBound(proof, instance, binder);
            return;
        }
        bytes32 context = ZkBinder.context(boundTo, binder);
        if (!ZkBinder.carries(context, instance, bindingWord)) revert AnotherContext(context);
        verifier.verify(proof, instance);
    }

    /// @dev `_check` with an answer, by `ZkVerdict.attempt`.
    function _isValid(bytes32 binder, bytes calldata proof, uint256[] calldata instance) internal view returns (bool) {
        if (bindingWord == BY_CHALLENGE) {
            bytes memory bound = abi.encodeCall(IZkVerifier.verifyBound, (proof, instance, binder));
            return ZkVerdict.attempt(address(verifier), bound, verifierGas);
        }
        if (!ZkBinder.carries(ZkBinder.context(boundTo, binder), instance, bindingWord)) return false;
        bytes memory plain = abi.encodeCall(IZkVerifier.verify, (proof, instance));
        return ZkVerdict.attempt(address(verifier), plain, verifierGas);
    }
}
