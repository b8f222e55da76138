// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Validation registry of ERC-8004 "Trustless Agents" (DRAFT)
/// @notice The part that a validator calls and reads. A draft of 2025-08-13, in the text that followed its updates of
/// January 2026 (ethereum/ERCs, commit 2395308; the date of that commit is not known to us), where `tag` is a string;
/// before that it was bytes32, and such registries are not served. Of the three registries its authors call this one
/// unfinished.
interface IERC8004ValidationRegistry {
    /// @notice Record what a validator says; only the one that the request names may call it.
    /// @param requestHash keccak256 of the request's payload
    /// @param response From 0 (failed) to 100 (passed)
    /// @param responseURI Where evidence is, or ""
    /// @param responseHash Commitment to the evidence, or 0
    /// @param tag A category, or ""
    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
    ) external;

    /// @notice What is recorded of a request.
    /// @param requestHash keccak256 of the request's payload
    /// @return validatorAddress Who may respond
    /// @return agentId The agent
    /// @return response The last response
    /// @return responseHash Its evidence
    /// @return tag Its category
    /// @return lastUpdate When
    function getValidationStatus(bytes32 requestHash)
        external
        view
        returns (
            address validatorAddress,
            uint256 agentId,
            uint8 response,
            bytes32 responseHash,
            string memory tag,
            uint256 lastUpdate
        );
}
