// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifierShared} from "./interfaces/IZkVerifierShared.sol";
import {IZkSharedErrors} from "./interfaces/IZkVerifierErrors.sol";
import {ZkBinder} from "./ZkBinder.sol";
import {ZkReplayGuard} from "./ZkReplayGuard.sol";
import {ZkVerdict} from "./ZkVerdict.sol";

/// @title Base of contracts that rely on proofs of one circuit, checked by the verifier that all models share
/// @notice `ZkConsumer`'s twin: nothing is deployed for the model. Its key comes with every proof, from whoever sends
/// it, and this contract pins the key's hash.
/// @dev Binding is as in `ZkConsumer`; proofs are bound to the shared verifier's address, the same for all of its
/// consumers, so the consumer's own address in the binder is all that keeps them apart.
abstract contract ZkSharedConsumer is ZkReplayGuard, IZkSharedErrors {
    /// @notice There is no contract at the address given for the verifier: calls to it would succeed.
    error NoContract(address verifier);
    /// @notice The public inputs were made for another chain, verifier, consumer, caller, counter or action.
    error AnotherContext(bytes32 expected);

    /// @notice `bindingWord` of circuits whose proofs are bound by their challenge (CG16).
    uint256 internal constant BY_CHALLENGE = type(uint256).max;
    /// @dev Bytes of a proof.
    uint256 private constant GROTH16_PROOF = 256;
    uint256 private constant CG16_PROOF = 320;

    /// @notice The shared verifier.
    IZkVerifierShared public immutable verifier;
    /// @notice Hash of the verifying key whose proofs are taken.
    bytes32 public immutable vkHash;
    /// @notice Number of public inputs of the circuit (CG16: packed words).
    uint256 public immutable instanceLength;
    /// @notice Number of the first of four public words that hold the context, or 2^256 - 1: the challenge does.
    uint256 public immutable bindingWord;
    /// @notice Gas that a call of the verifier gets in `_tryVerifyFor`: with it a valid proof verifies.
    uint256 public immutable verifierGas;

    /// @notice Looks at the key once, that it has this hash and is fit to be pinned, and keeps its hash for ever.
    /// @dev A key of more than about 600 public inputs does not fit into what creates a contract (EIP-3860): such
    /// circuits want CG16, or a verifier of their own.
    /// @param verifier_ The shared verifier
    /// @param vkHash_ The key that this contract is about: pinned here, and never a user's choice
    /// @param vk The key itself
    /// @param instanceLength_ Number of public inputs (CG16: packed words)
    /// @param bindingWord_ BY_CHALLENGE for CG16; else the number of the first public word of the input `binder`
    /// @param verifierGas_ Gas for a try; 0 where `_tryVerifyFor` is not used
    constructor(
        IZkVerifierShared verifier_,
        bytes32 vkHash_,
        bytes memory vk,
        uint256 instanceLength_,
        uint256 bindingWord_,
        uint256 verifierGas_
    ) {
        if (address(verifier_).code.length == 0) revert NoContract(address(verifier_));
        verifier_.checkKey(vkHash_, vk, bindingWord_ == BY_CHALLENGE, instanceLength_);
        instanceLength = instanceLength_;
        verifier = verifier_;
        vkHash = vkHash_;
        bindingWord = bindingWord_;
        verifierGas = verifierGas_;
    }

    /// @dev Takes a proof of the sender's; reverts unless it is valid for `instance` and bound to this turn of his.
    function _verify(bytes calldata vk, bytes calldata proof, uint256[] calldata instance) internal {
        _verifyFor(msg.sender, 0, 0, "", vk, proof, instance);
    }

    /// @notice Takes a proof of somebody's, whoever sends it; reverts unless it is valid and bound to his turn.
    /// @dev That it is bound to `caller` does not say that he made it: anybody with the proving key makes such proofs, of
    /// inputs of his own. `consent` is his signature under this one.
    /// @param caller Whose proof it is
    /// @param deadline Last second at which it may be used; 0: none
    /// @param action Hash of what shall be done, with all of its arguments: what the sender could choose otherwise has to
    /// be in it; 0: none
    /// @param consent The caller's signature of `consentDigest`; nothing where he is the sender
    /// @param vk The key, whose hash is pinned
    /// @param proof The proof's elements
    /// @param instance Public inputs
    function _verifyFor(
        address caller,
        uint64 deadline,
        bytes32 action,
        bytes memory consent,
        bytes calldata vk,
        bytes calldata proof,
        uint256[] calldata instance
    ) internal {
        bytes32 binder = _binder(caller, deadline, action);
        _requireConsent(caller, binder, consent, proof, instance);
        _count(caller);
        _check(binder, vk, proof, instance);
    }

    /// @notice As `_verifyFor`, and answers instead of reverting on a proof that is wrong.
    /// @dev It answers only of proofs that the caller sent or signed, so "wrong" can be held against him, and either
    /// answer takes his turn, so it can be held against him once. Reverts with GasTooLow where the transaction has less
    /// gas than a valid proof needs, so that no relayer can make one look invalid. Another key than the pinned one is
    /// no verdict on the proof, and reverts.
    /// @param caller Whose proof it is
    /// @param deadline Last second at which it may be used; 0: none
    /// @param action Hash of what shall be done, as for `_verifyFor`; 0: none
    /// @param consent The caller's signature of `consentDigest`; nothing where he is the sender
    /// @param vk The key, whose hash is pinned
    /// @param proof The proof's elements
    /// @param instance Public inputs
    /// @return valid Whether the proof is valid for `instance` and bound to this turn
    function _tryVerifyFor(
        address caller,
        uint64 deadline,
        bytes32 action,
        bytes memory consent,
        bytes calldata vk,
        bytes calldata proof,
        uint256[] calldata instance
    ) internal returns (bool valid) {
        bytes32 binder = _binder(caller, deadline, action);
        _requireConsent(caller, binder, consent, proof, instance);
        _count(caller);
        return _isValid(binder, vk, proof, instance);
    }

    /// @dev Reverts unless the proof is valid for `instance` and bound to `binder`. Whether the binder was used before,
    /// and who made the proof, is the caller's to know.
    function _check(bytes32 binder, bytes calldata vk, bytes calldata proof, uint256[] calldata instance)
        internal
        view
    {
        if (bindingWord == BY_CHALLENGE) {
            verifier.verifyBound(vkHash, vk, proof, instance, binder);
            return;
        }
        bytes32 context = ZkBinder.context(address(verifier), binder);
        if (!ZkBinder.carries(context, instance, bindingWord)) revert AnotherContext(context);
        verifier.verify(vkHash, vk, proof, instance);
    }

    /// @dev `_check` with an answer, by `ZkVerdict.attempt`. A proof of another length, or with another number of public
    /// inputs, is wrong: the shared verifier would look for a key of that kind, and say that the key is another.
    function _isValid(bytes32 binder, bytes calldata vk, bytes calldata proof, uint256[] calldata instance)
        internal
        view
        returns (bool)
    {
        bool cg16 = bindingWord == BY_CHALLENGE;
        if (proof.length != (cg16 ? CG16_PROOF : GROTH16_PROOF) || instance.length != instanceLength) return false;
        address shared = address(verifier);
        if (cg16) {
            bytes memory bound = abi.encodeCall(IZkVerifierShared.verifyBound, (vkHash, vk, proof, instance, binder));
            return ZkVerdict.attempt(shared, bound, verifierGas);
        }
        if (!ZkBinder.carries(ZkBinder.context(shared, binder), instance, bindingWord)) return false;
        bytes memory plain = abi.encodeCall(IZkVerifierShared.verify, (vkHash, vk, proof, instance));
        return ZkVerdict.attempt(shared, plain, verifierGas);
    }
}
