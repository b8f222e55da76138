// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC165, IERCZKMLRegistry} from "./interfaces/IERC7992.sol";

/// @title Models, and the hashes that say what they are (ERC-7992, draft: see the interface for its date)
/// @notice Anybody registers models; nobody vouches for them. modelHash: sha256 of the ONNX file; circuitHash and
/// vkHash: as `zkchain inspect` shows them; proofSystemId: bytes4(keccak256("groth16-bn254-v1")) or ("cg16-bn254-v1").
/// @dev Versions (the draft leaves it open): an update changes the commitment under the same number and counts the
/// revision. A contract that relies on a model pins its vkHash, or number and revision, and not the number alone: the
/// owner may change what the number means. No admin, no upgrade; an owner is an address, for ever.
contract ModelRegistry is IERCZKMLRegistry, IERC165 {
    /// @notice A model without the hash of a verifying key cannot be verified.
    error NoKey();

    struct Model {
        ModelCommitment commitment;
        address owner;
        bool deprecated;
        uint64 revision;
    }

    /// @notice Models registered so far; the first has number 1.
    uint256 public count;
    mapping(uint256 modelId => Model) private _models;

    /// @inheritdoc IERCZKMLRegistry
    function registerModel(ModelCommitment calldata commitment) external returns (uint256 modelId) {
        if (commitment.vkHash == 0) revert NoKey();
        modelId = ++count;
        Model storage model = _models[modelId];
        model.commitment = commitment;
        model.owner = msg.sender;
        emit ModelRegistered(modelId, msg.sender, commitment);
    }

    /// @inheritdoc IERCZKMLRegistry
    function updateModel(uint256 modelId, ModelCommitment calldata newCommitment) external {
        Model storage model = _own(modelId);
        if (newCommitment.vkHash == 0) revert NoKey();
        emit ModelUpdated(modelId, model.commitment, newCommitment);
        model.commitment = newCommitment;
        ++model.revision;
    }

    /// @inheritdoc IERCZKMLRegistry
    function deprecateModel(uint256 modelId) external {
        _own(modelId).deprecated = true;
        emit ModelDeprecated(modelId);
    }

    /// @inheritdoc IERCZKMLRegistry
    function getModel(uint256 modelId)
        external
        view
        returns (ModelCommitment memory commitment, bool deprecated, address owner)
    {
        Model storage model = _known(modelId);
        return (model.commitment, model.deprecated, model.owner);
    }

    /// @notice How often a model's commitment was changed.
    /// @param modelId Number of the model
    /// @return 0 for one that is as it was registered
    function revisionOf(uint256 modelId) external view returns (uint64) {
        return _known(modelId).revision;
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == type(IERCZKMLRegistry).interfaceId || interfaceId == type(IERC165).interfaceId;
    }

    function _known(uint256 modelId) private view returns (Model storage model) {
        model = _models[modelId];
        if (model.owner == address(0)) revert ModelNotFound(modelId);
    }

    /// @dev A model of the sender's that may still be changed.
    function _own(uint256 modelId) private view returns (Model storage model) {
        model = _known(modelId);
        if (model.owner != msg.sender) revert NotModelOwner(modelId, msg.sender);
        if (model.deprecated) revert ModelIsDeprecated(modelId);
    }
}
