// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The errors of verifiers, for contracts that call them
/// @notice A verifier's revert comes through its caller. With these in the caller's ABI wallets and libraries can say
/// what it was. `IZkVerifier` has them from here.
interface IZkVerifierErrors {
    /// @notice The proof has not as many bytes as this verifier's proofs.
    error ProofLength(uint256 got, uint256 expected);
    /// @notice There are not as many public inputs as the circuit has.
    error InstanceLength(uint256 got, uint256 expected);
    /// @notice Proofs of this system hold no challenge, so they cannot be bound to a context.
    error NotBindable();
    /// @notice Public input number `index` is not below the scalar field's order.
    error InputOutOfRange(uint256 index);
    /// @notice A coordinate is not below the base field's order, or an element is not a point of its group.
    error PrecompileFailed();
    /// @notice The proof is well-formed and not valid for these public inputs, this context and this key.
    error ProofInvalid();
    /// @notice The calldata is longer than the arguments take. (Where it is shorter, the ABI's decoder reverts, without a
    /// reason.)
    error CalldataLength(uint256 got, uint256 expected);
    /// @notice Too little gas, which says nothing of the proof. Of a verifier: the pairing takes `needed`, and had `got` or
    /// less. Of a consumer: it had `got`, and a verifier is given `needed`.
    error GasTooLow(uint256 got, uint256 needed);
}

/// @title The errors of the shared verifier, those of all verifiers among them
/// @notice As `IZkVerifierErrors`, for contracts that call the shared verifier.
interface IZkSharedErrors is IZkVerifierErrors {
    /// @notice The key does not hash to what the caller pinned.
    error KeyMismatch(bytes32 got, bytes32 expected);
    /// @notice The key has not as many bytes as a key of this system with so many public inputs.
    error KeyLength(uint256 got, uint256 expected);
    /// @notice The key is not fit to be pinned: a point is infinity or off its curve, or trapdoors depend on each other.
    error UnsafeKey();
}
