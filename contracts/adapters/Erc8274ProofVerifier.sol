// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifierShared} from "../interfaces/IZkVerifierShared.sol";
import {IZkSharedErrors} from "../interfaces/IZkVerifierErrors.sol";
import {IProofVerifier} from "../interfaces/IERC8274.sol";
import {ZkVerdict} from "../ZkVerdict.sol";

/// @title CG16 proofs behind ERC-8274's IProofVerifier (draft: see the interface for its text)
/// @notice Stateless: the key comes with the metadata, which the calling IAgentVerifier keeps and pins.
/// @dev inputHash: any 32 bytes; the proof must be bound to keccak256(abi.encode(caller, inputHash)), the caller being
/// the IAgentVerifier, so that one proof serves one of them and one input. That they are a hash of the private inputs
/// is the prover's word. outputHash: keccak256(abi.encodePacked(instance)), all that the circuit shows.
/// metadata: abi.encode(bytes32 vkHash, bytes vk, uint256 words, uint256 gas), words being the number of packed words of
/// the key. proof: abi.encode(bytes elements, uint256[] instance). A proof of another length, or with another number of
/// words, is false. Plain Groth16 binds nothing and is not served. Metadata or a proof that cannot be decoded reverts, as
/// does too little gas.
contract Erc8274ProofVerifier is IProofVerifier, IZkSharedErrors {
    /// @notice There is no contract at this address.
    error NoContract(address verifier);

    string private constant SYSTEM = "zk/zkchain-cg16";
    /// @dev Bytes of a proof.
    uint256 private constant CG16_PROOF = 320;
    /// @notice The shared verifier.
    IZkVerifierShared public immutable verifier;

    /// @notice Keeps the shared verifier's address for ever.
    /// @param verifier_ The shared verifier
    constructor(IZkVerifierShared verifier_) {
        if (address(verifier_).code.length == 0) revert NoContract(address(verifier_));
        verifier = verifier_;
    }

    /// @notice What a proof has to be bound to.
    /// @param caller The IAgentVerifier
    /// @param inputHash Commitment to the input
    /// @return keccak256(abi.encode(caller, inputHash))
    function binderOf(address caller, bytes32 inputHash) public pure returns (bytes32) {
        return keccak256(abi.encode(caller, inputHash));
    }

    /// @inheritdoc IProofVerifier
    function verify(bytes32 inputHash, bytes32 outputHash, bytes calldata metadata, bytes calldata proof)
        external
        view
        returns (bool)
    {
        (bytes32 vkHash, bytes memory vk, uint256 words, uint256 needed) =
            abi.decode(metadata, (bytes32, bytes, uint256, uint256));
        (bytes memory elements, uint256[] memory instance) = abi.decode(proof, (bytes, uint256[]));
        if (elements.length != CG16_PROOF || instance.length != words) return false;
        if (keccak256(abi.encodePacked(instance)) != outputHash) return false;
        bytes32 binder = binderOf(msg.sender, inputHash);
        bytes memory data =
            abi.encodeCall(IZkVerifierShared.verifyBound, (vkHash, vk, elements, instance, binder));
        return ZkVerdict.attempt(address(verifier), data, needed);
    }

    /// @inheritdoc IProofVerifier
    function proofSystem() external pure returns (string memory) {
        return SYSTEM;
    }

    /// @inheritdoc IProofVerifier
    function proofProfile() external view returns (bytes32) {
        return keccak256(abi.encodePacked(SYSTEM, address(verifier)));
    }
}
