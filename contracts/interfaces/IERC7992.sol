// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Registry of models, after ERC-7992 (DRAFT)
/// @notice "Verifiable ML Model Inference (ZKML)", a draft of 2025-07-23 in its text of 2025-11-11 (ethereum/ERCs, pull
/// request 1133, commit 08db064). A draft changes: what was written for this text may not fit the next.
/// @dev One departure: the text declares an event and an error of the same name, ModelDeprecated, which no compiler
/// takes. The event keeps it; the error is ModelIsDeprecated.
interface IERCZKMLRegistry {
    /// @notice What a model is.
    struct ModelCommitment {
        bytes32 modelHash;
        bytes32 circuitHash;
        bytes32 vkHash;
        bytes4 proofSystemId;
        string uri;
    }

    /// @notice A model has a number now.
    /// @param modelId Its number
    /// @param owner Whose it is
    /// @param commitment What it is
    event ModelRegistered(uint256 indexed modelId, address indexed owner, ModelCommitment commitment);
    /// @notice A model's commitment is another one now.
    /// @param modelId Its number
    /// @param oldCommitment What it was
    /// @param newCommitment What it is from now on
    event ModelUpdated(uint256 indexed modelId, ModelCommitment oldCommitment, ModelCommitment newCommitment);
    /// @notice A model should not be used any more.
    /// @param modelId Its number
    event ModelDeprecated(uint256 indexed modelId);

    /// @notice No model has this number.
    error ModelNotFound(uint256 modelId);
    /// @notice Only the model's owner may do this.
    error NotModelOwner(uint256 modelId, address caller);
    /// @notice The model is deprecated, and stays as it is.
    error ModelIsDeprecated(uint256 modelId);

    /// @notice Register a model of the sender's.
    /// @param commitment What it is
    /// @return modelId Its number
    function registerModel(ModelCommitment calldata commitment) external returns (uint256 modelId);

    /// @notice Put another commitment in place of a model's: its owner.
    /// @param modelId Its number
    /// @param newCommitment What it is from now on
    function updateModel(uint256 modelId, ModelCommitment calldata newCommitment) external;

    /// @notice Say, for ever, that a model should not be used any more: its owner.
    /// @param modelId Its number
    function deprecateModel(uint256 modelId) external;

    /// @notice What is known of a model.
    /// @param modelId Its number
    /// @return commitment What it is
    /// @return deprecated Whether it should not be used any more
    /// @return owner Whose it is
    function getModel(uint256 modelId)
        external
        view
        returns (ModelCommitment memory commitment, bool deprecated, address owner);
}

/// @title Verifier of inferences of registered models, after ERC-7992 (DRAFT)
/// @notice As `IERCZKMLRegistry`, from the text of 2025-11-11.
interface IERCZKMLVerifier {
    /// @notice A model says something of an input.
    /// @param modelId The model's number
    /// @param inputCommitment Commitment to its inputs
    /// @param output What it says
    /// @param caller Who showed the proof
    event InferenceVerified(
        uint256 indexed modelId, bytes32 indexed inputCommitment, bytes output, address indexed caller
    );

    /// @notice The proof is not valid.
    error InvalidProof();
    /// @notice The proof is of another model.
    error ModelMismatch();
    /// @notice The proof was made for another input commitment.
    error InputCommitmentMismatch();
    /// @notice The output has not the form it should have.
    error OutputMismatch();
    /// @notice Proofs of this system are not verified here.
    error UnsupportedProofSystem(bytes4 proofSystemId);
    /// @notice The model is deprecated.
    error VerificationRefused_ModelDeprecated(uint256 modelId);

    /// @notice Returns if the proof is valid; reverts otherwise.
    /// @param modelId Number of the model
    /// @param inputCommitment Commitment to its inputs
    /// @param output Its public outputs
    /// @param proof The proof
    function verifyInference(uint256 modelId, bytes32 inputCommitment, bytes calldata output, bytes calldata proof)
        external;

    /// @notice The proof system of a model.
    /// @param modelId Number of the model
    /// @return First four bytes of keccak256 of the system's canonical name
    function proofSystemOf(uint256 modelId) external view returns (bytes4);

    /// @notice Where the models are registered.
    /// @return registryAddress The registry
    function registry() external view returns (address registryAddress);
}

/// @title Detection of interfaces (ERC-165, final)
/// @notice A contract says itself which interfaces it has.
interface IERC165 {
    /// @notice Whether this contract has an interface.
    /// @param interfaceId Its identifier
    /// @return True when it has
    function supportsInterface(bytes4 interfaceId) external view returns (bool);
}
