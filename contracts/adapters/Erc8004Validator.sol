// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifier} from "../interfaces/IZkVerifier.sol";
import {IERC8004ValidationRegistry} from "../interfaces/IERC8004.sol";
import {ZkConsumer} from "../ZkConsumer.sol";

/// @title A validator of ERC-8004 that answers with proofs (draft: see the interface for its text)
/// @notice An agent names this contract as the validator of a request whose payload is abi.encode(registry, agentId,
/// vkHash, instance, salt). Anybody who has a proof of that instance, bound to the request, answers it with 100; a wrong
/// proof reverts and answers nothing, so that nobody can spoil a request. It says: a model of this key gave these public
/// words for some input. It does not say that the agent ran it: who has the proving key makes such proofs.
/// @dev A stranger's request under another agent's hash finds no answer; the agent asks again with another salt.
contract Erc8004Validator is ZkConsumer {
    /// @notice The request with this hash is another agent's, or none.
    error AnotherAgent(uint256 got, uint256 expected);

    /// @notice The registry.
    IERC8004ValidationRegistry public immutable registry;

    /// @notice As a consumer of proofs, and keeps the registry's address for ever.
    /// @param verifier_ Verifier of the agent's model
    /// @param vkHash_ The model's key
    /// @param bindingWord_ 2^256 - 1 for CG16; else the number of the first public word of the input `binder`
    /// @param registry_ ERC-8004's validation registry
    constructor(
        IZkVerifier verifier_,
        bytes32 vkHash_,
        uint256 bindingWord_,
        IERC8004ValidationRegistry registry_
    ) ZkConsumer(verifier_, vkHash_, bindingWord_, 0) {
        if (address(registry_).code.length == 0) revert NoContract(address(registry_));
        registry = registry_;
    }

    /// @notice The hash of a request's payload, which names it in the registry.
    /// @param agentId The agent that asks
    /// @param instance Public words that the agent says its model gave
    /// @param salt A number of the agent's, so that it can ask twice
    /// @return keccak256(abi.encode(registry, agentId, vkHash, instance, salt))
    function requestHashOf(uint256 agentId, uint256[] calldata instance, bytes32 salt) public view returns (bytes32) {
        return keccak256(abi.encode(address(registry), agentId, vkHash, instance, salt));
    }

    /// @notice What a proof that answers a request has to be bound to.
    /// @param requestHash The request
    /// @return keccak256(abi.encode(this contract, request))
    function binderOfRequest(bytes32 requestHash) public view returns (bytes32) {
        return keccak256(abi.encode(address(this), requestHash));
    }

    /// @notice Answer a request with a proof. A second answer to it says the same as the first, with whatever proof.
    /// @param agentId The agent that asked
    /// @param proof The proof's elements
    /// @param instance Public words
    /// @param salt The request's
    function respond(uint256 agentId, bytes calldata proof, uint256[] calldata instance, bytes32 salt) external {
        bytes32 request = requestHashOf(agentId, instance, salt);
        (, uint256 asked,,,,) = registry.getValidationStatus(request);
        if (asked != agentId) revert AnotherAgent(asked, agentId);
        _check(binderOfRequest(request), proof, instance);
        registry.validationResponse(request, 100, "", responseHashOf(instance), "zkchain");
    }

    /// @notice The commitment to the evidence that an answer records: what was proved. Not the proof's bytes, of which
    /// anybody can make others.
    /// @param instance Public words
    /// @return keccak256(abi.encode(vkHash, instance))
    function responseHashOf(uint256[] calldata instance) public view returns (bytes32) {
        return keccak256(abi.encode(vkHash, instance));
    }
}
