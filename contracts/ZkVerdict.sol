// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifierErrors} from "./interfaces/IZkVerifierErrors.sol";

/// @title A verdict on a proof that whoever sends the transaction cannot turn by its gas
/// @notice A verifier that runs out of gas reverts, and a try / catch around it would take that for "invalid". Here the
/// call gets the same gas whatever the transaction has: `needed`, or it is not made.
library ZkVerdict {
    /// @notice The verifier reverted without saying that the proof is wrong: `reason` is its error's selector, or 0; or
    /// there is no contract at its address, where every call succeeds.
    error NoVerdict(bytes4 reason);

    /// @dev Gas between the check and the call: a cold account (2,600), the call, the memory of its arguments is paid
    /// for.
    uint256 private constant AROUND = 5_000;

    /// @notice Whether a call of a verifier returns; reverts where that is not for the proof to say.
    /// @dev EIP-150: a call gets at most 63/64 of what is left. `needed` of n is had of n + n / 63 and no less.
    /// A malformed point burns all of `needed`, and no more.
    /// @param verifier The verifier; where nothing is, or is no more, there is no verdict
    /// @param data The call, encoded
    /// @param needed Gas with which the call of a valid proof succeeds; understating it makes valid proofs fail
    /// @return valid True: it returned. False: an error that says that this proof is wrong
    function attempt(address verifier, bytes memory data, uint256 needed) internal view returns (bool valid) {
        if (verifier.code.length == 0) revert NoVerdict(0);
        uint256 least = needed + needed / 63 + 1 + AROUND;
        if (gasleft() < least) revert IZkVerifierErrors.GasTooLow(gasleft(), least);
        bytes4 reason;
        uint256 size;
        assembly ("memory-safe") {
            valid := staticcall(needed, verifier, add(data, 0x20), mload(data), 0x00, 0x04)
            size := returndatasize()
            reason := mload(0x00)
        }
        if (valid) return true;
        if (size < 4) reason = 0;
        if (!_isVerdict(reason)) revert NoVerdict(reason & 0xffffffff);
    }

    /// @dev Errors that a proof or its public inputs alone can cause.
    function _isVerdict(bytes4 reason) private pure returns (bool) {
        return reason == IZkVerifierErrors.ProofInvalid.selector || reason == IZkVerifierErrors.PrecompileFailed.selector
            || reason == IZkVerifierErrors.InputOutOfRange.selector || reason == IZkVerifierErrors.ProofLength.selector
            || reason == IZkVerifierErrors.InstanceLength.selector;
    }
}
