// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifierShared} from "./interfaces/IZkVerifierShared.sol";
import {IZkSharedErrors} from "./interfaces/IZkVerifierErrors.sol";
import {IERC165, IERCZKMLRegistry, IERCZKMLVerifier} from "./interfaces/IERC7992.sol";

/// @title Inferences of registered models (ERC-7992, draft: see the interface for its date)
/// @notice Looks the model's key hash up in the registry and has the shared verifier check the proof under the key that
/// comes along: no verifier has to be deployed or appointed for a model.
/// @dev output: abi.encode(uint256[] instance), the public words, and no other encoding of them (OutputMismatch): so equal
/// outputs are equal bytes. proof: abi.encode(bytes vk, bytes elements).
/// inputCommitment: the 32 bytes that a CG16 proof was made for, `binderOf`. That they are a hash of the private inputs
/// is the prover's word, for zkchain's circuits do not hash their inputs; that the proof cannot be shown with others is
/// not. Plain Groth16 binds nothing: its inputCommitment is 0. Errors of the shared verifier come through as they are.
/// Stateless, as the draft wants it: whether an inference was used before is for its consumer to know.
contract ModelVerifier is IERCZKMLVerifier, IERC165, IZkSharedErrors {
    /// @notice There is no contract at this address.
    error NoContract(address place);

    /// @notice Identifier of plain Groth16.
    bytes4 public constant GROTH16 = bytes4(keccak256("groth16-bn254-v1"));
    /// @notice Identifier of CG16.
    bytes4 public constant CG16 = bytes4(keccak256("cg16-bn254-v1"));

    /// @inheritdoc IERCZKMLVerifier
    address public immutable registry;
    /// @notice The shared verifier.
    IZkVerifierShared public immutable verifier;

    /// @notice Keeps both addresses for ever.
    /// @param registry_ Where models are registered
    /// @param verifier_ The shared verifier
    constructor(IERCZKMLRegistry registry_, IZkVerifierShared verifier_) {
        if (address(registry_).code.length == 0) revert NoContract(address(registry_));
        if (address(verifier_).code.length == 0) revert NoContract(address(verifier_));
        registry = address(registry_);
        verifier = verifier_;
    }

    /// @notice What a CG16 proof of an inference has to be bound to.
    /// @param modelId Number of the model
    /// @param inputCommitment Commitment to its inputs
    /// @return keccak256(abi.encode(this contract, modelId, inputCommitment))
    function binderOf(uint256 modelId, bytes32 inputCommitment) public view returns (bytes32) {
        return keccak256(abi.encode(address(this), modelId, inputCommitment));
    }

    /// @inheritdoc IERCZKMLVerifier
    function verifyInference(uint256 modelId, bytes32 inputCommitment, bytes calldata output, bytes calldata proof)
        external
    {
        (bytes32 vkHash, bytes4 system) = _model(modelId);
        uint256[] memory instance = abi.decode(output, (uint256[]));
        if (keccak256(output) != keccak256(abi.encode(instance))) revert OutputMismatch();
        (bytes memory vk, bytes memory elements) = abi.decode(proof, (bytes, bytes));
        if (system == CG16) {
            verifier.verifyBound(vkHash, vk, elements, instance, binderOf(modelId, inputCommitment));
        } else if (system == GROTH16) {
            if (inputCommitment != 0) revert InputCommitmentMismatch();
            verifier.verify(vkHash, vk, elements, instance);
        } else {
            revert UnsupportedProofSystem(system);
        }
        emit InferenceVerified(modelId, inputCommitment, output, msg.sender);
    }

    /// @inheritdoc IERCZKMLVerifier
    function proofSystemOf(uint256 modelId) external view returns (bytes4) {
        (IERCZKMLRegistry.ModelCommitment memory commitment,,) = IERCZKMLRegistry(registry).getModel(modelId);
        return commitment.proofSystemId;
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERCZKMLVerifier).interfaceId || interfaceId == type(IERC165).interfaceId;
    }

    function _model(uint256 modelId) private view returns (bytes32 vkHash, bytes4 system) {
        (IERCZKMLRegistry.ModelCommitment memory commitment, bool deprecated,) =
            IERCZKMLRegistry(registry).getModel(modelId);
        if (deprecated) revert VerificationRefused_ModelDeprecated(modelId);
        return (commitment.vkHash, commitment.proofSystemId);
    }
}
