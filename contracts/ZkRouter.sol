// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IZkVerifier} from "./interfaces/IZkVerifier.sol";
import {IZkVerifierErrors} from "./interfaces/IZkVerifierErrors.sol";

/// @title One address in front of verifiers that come and go
/// @notice A verifier is found by its key's hash, of which the first four bytes, the selector, are its place here.
/// Verifiers are added after a delay that gives users time to leave, taken out at once and for ever, and all of them
/// stop, for ever, when the guardian says so or anybody shows a proof of a statement that is false.
/// @dev Nothing here is needed by a consumer that pins a verifier of its own. A consumer that goes through a router
/// trusts its admin as far as the delay and its guardian lets it. A bound proof is bound to the verifier behind the
/// router.
///
/// FOR GUARDIANS. The delay is there for you to read the CODE of what is proposed: `vkHash()` is the word of the contract
/// itself, and one that says the right hash can take any proof a day later. A clone of zkchain's (`ZkCloneVerifier`)
/// has its key in its code and nothing that changes; so compare the code (`zkchain` does), and bury what you do not
/// know. The router records the hash of the code at the proposal, and adds no other; it cannot see behind a proxy, whose
/// code stays and whose behaviour does not.
///
/// FOR DEPLOYERS. The canary is a verifier of a circuit without solutions (x = 0 and x = 1): a proof that it takes shows
/// that the proof system, its implementation or the canary's setup is broken. Nothing here can see that the circuit has
/// no solutions: with the canary of another one, anybody who satisfies that stops the router. `zkchain circom canary`
/// writes the constraints. Whoever made the canary's key alone could stop the router, so its key deserves the ceremony
/// that the others had.
contract ZkRouter is IZkVerifierErrors {
    /// @notice Who may do what: the admin proposes, withdraws and buries; the guardian withdraws, buries and stops.
    enum Role {
        Admin,
        Guardian
    }

    /// @notice The router stopped, for ever.
    error IsStopped();
    /// @notice There is no verifier with this selector.
    error UnknownSelector(bytes4 selector);
    /// @notice The verifier with this selector was taken out, and none will have it again.
    error IsBuried(bytes4 selector);
    /// @notice This selector is proposed, added or buried already.
    error SelectorTaken(bytes4 selector);
    /// @notice The delay of this proposal is not over.
    error TooEarly(uint256 time, uint256 from);
    /// @notice Only another account may do this.
    error NotAllowed(address caller);
    /// @notice There is no contract at this address.
    error NoContract(address verifier);
    /// @notice The contract answers with another key's hash than before, or the verifier that has the selector is another
    /// key's.
    error AnotherKey(bytes32 got, bytes32 expected);
    /// @notice The contract's code is another than when it was proposed.
    error AnotherCode(bytes32 got, bytes32 expected);
    /// @notice A delay shorter than a day, or longer than a year, is none.
    error DelayOutOfRange(uint256 delay);

    /// @notice A verifier can be added when a delay is over.
    /// @param selector First four bytes of the key's hash
    /// @param verifier The verifier
    /// @param vkHash Its key's hash, as it says
    /// @param codeHash Hash of its code: no other is added
    /// @param from Time from which it can be added
    event Proposed(
        bytes4 indexed selector, IZkVerifier indexed verifier, bytes32 vkHash, bytes32 codeHash, uint256 from
    );
    /// @notice The proposal is off; it can be made again.
    /// @param selector First four bytes of the key's hash
    event Withdrawn(bytes4 indexed selector);
    /// @notice Proofs with this selector go to a verifier from now on.
    /// @param selector First four bytes of the key's hash
    /// @param verifier The verifier
    event Added(bytes4 indexed selector, IZkVerifier indexed verifier);
    /// @notice The selector is dead.
    /// @param selector First four bytes of the key's hash
    event Buried(bytes4 indexed selector);
    /// @notice The router stopped.
    /// @param by Who stopped it
    /// @param byProof Whether by a proof of the false statement, and not as guardian
    event Stopped(address indexed by, bool byProof);
    /// @notice A role was offered to an account, which has to take it.
    /// @param role The role
    /// @param to The account
    event Offered(Role indexed role, address indexed to);
    /// @notice A role has another holder.
    /// @param role The role
    /// @param by Who holds it now
    event Taken(Role indexed role, address indexed by);

    /// @dev `from` is 0 where there is no proposal; a live or buried route keeps its verifier. `buried` may be what was
    /// live, or what was only proposed.
    struct Route {
        IZkVerifier verifier;
        uint64 from;
        bool live;
        bool buried;
        bytes32 vkHash;
        bytes32 codeHash;
    }

    /// @notice Seconds between a proposal and the time from which it can be added.
    uint256 public immutable delay;
    /// @notice Verifier of the circuit without solutions.
    IZkVerifier public immutable canary;
    /// @notice True for ever once the router stopped.
    bool public stopped;
    /// @notice Who holds a role.
    mapping(Role role => address) public holder;
    /// @notice To whom a role is offered.
    mapping(Role role => address) public offered;
    mapping(bytes4 selector => Route) private _routes;

    modifier only(Role role) {
        if (msg.sender != holder[role]) revert NotAllowed(msg.sender);
        _;
    }

    modifier running() {
        if (stopped) revert IsStopped();
        _;
    }

    /// @notice A router without verifiers.
    /// @param admin Proposes verifiers
    /// @param guardian Can stop what the admin does, and the router
    /// @param delay_ Seconds, from a day to a year
    /// @param canary_ Verifier of the circuit without solutions
    /// @param canaryHash Hash of the canary's key
    constructor(address admin, address guardian, uint256 delay_, IZkVerifier canary_, bytes32 canaryHash) {
        if (delay_ < 1 days || delay_ > 365 days) revert DelayOutOfRange(delay_);
        if (_keyOf(canary_) != canaryHash) revert AnotherKey(_keyOf(canary_), canaryHash);
        delay = delay_;
        canary = canary_;
        holder[Role.Admin] = admin;
        holder[Role.Guardian] = guardian;
        emit Taken(Role.Admin, admin);
        emit Taken(Role.Guardian, guardian);
    }

    /// @notice The selector of a key.
    /// @param vkHash Hash of the verifying key
    /// @return Its first four bytes
    function selectorOf(bytes32 vkHash) public pure returns (bytes4) {
        return bytes4(vkHash);
    }

    /// @notice The verifier of a key; reverts where there is none, or none any more.
    /// @param vkHash Hash of the verifying key, all of it: four bytes are met by trying, and another key's verifier
    /// would answer
    /// @return The verifier
    function verifierOf(bytes32 vkHash) public view running returns (IZkVerifier) {
        bytes4 selector = selectorOf(vkHash);
        Route storage route = _routes[selector];
        if (route.buried) revert IsBuried(selector);
        if (!route.live) revert UnknownSelector(selector);
        if (route.vkHash != vkHash) revert AnotherKey(route.vkHash, vkHash);
        return route.verifier;
    }

    /// @notice What is known of a selector, live or not.
    /// @param selector First four bytes of a key's hash
    /// @return The route
    function routeOf(bytes4 selector) external view returns (Route memory) {
        return _routes[selector];
    }

    /// @notice `IZkVerifier.verify` of the verifier of this key.
    /// @param vkHash Hash of the verifying key, a constant of the calling contract
    /// @param proof The proof's elements
    /// @param instance Public inputs
    function verify(bytes32 vkHash, bytes calldata proof, uint256[] calldata instance) external view {
        verifierOf(vkHash).verify(proof, instance);
    }

    /// @notice `IZkVerifier.verifyBound` of the verifier of this key.
    /// @param vkHash Hash of the verifying key, a constant of the calling contract
    /// @param proof The proof's elements
    /// @param instance Public inputs
    /// @param binder Computed by the calling contract, with its own address in it: see `ZkBinder`
    function verifyBound(bytes32 vkHash, bytes calldata proof, uint256[] calldata instance, bytes32 binder)
        external
        view
    {
        verifierOf(vkHash).verifyBound(proof, instance, binder);
    }

    /// @notice Propose a verifier: it can be added when the delay is over.
    /// @param verifier The verifier, as its code stands; that it answers with a key's hash is no evidence of what it checks
    function propose(IZkVerifier verifier) external running only(Role.Admin) {
        bytes32 vkHash = _keyOf(verifier);
        bytes4 selector = selectorOf(vkHash);
        Route storage route = _routes[selector];
        if (route.from != 0) revert SelectorTaken(selector);
        uint64 from = uint64(block.timestamp + delay);
        bytes32 codeHash = address(verifier).codehash;
        _routes[selector] = Route(verifier, from, false, false, vkHash, codeHash);
        emit Proposed(selector, verifier, vkHash, codeHash, from);
    }

    /// @notice Take a proposal back before it is added: admin or guardian.
    /// @param selector The proposed verifier's
    function withdraw(bytes4 selector) external {
        _requireEither();
        Route storage route = _routes[selector];
        if (route.from == 0 || route.live || route.buried) revert UnknownSelector(selector);
        delete _routes[selector];
        emit Withdrawn(selector);
    }

    /// @notice Add a proposed verifier whose delay is over: anybody.
    /// @param selector The proposed verifier's
    function add(bytes4 selector) external running {
        Route storage route = _routes[selector];
        if (route.from == 0) revert UnknownSelector(selector);
        if (route.live || route.buried) revert SelectorTaken(selector);
        if (block.timestamp < route.from) revert TooEarly(block.timestamp, route.from);
        bytes32 code = address(route.verifier).codehash;
        if (code != route.codeHash) revert AnotherCode(code, route.codeHash);
        if (_keyOf(route.verifier) != route.vkHash) revert AnotherKey(_keyOf(route.verifier), route.vkHash);
        route.live = true;
        emit Added(selector, route.verifier);
    }

    /// @notice Take a verifier out, or a proposal, at once and for ever: admin or guardian. A proposal that is only
    /// withdrawn can be made again.
    /// @param selector The verifier's
    function bury(bytes4 selector) external {
        _requireEither();
        Route storage route = _routes[selector];
        if (route.from == 0) revert UnknownSelector(selector);
        if (route.buried) revert IsBuried(selector);
        route.buried = true;
        emit Buried(selector);
    }

    /// @notice Stop everything, for ever: the guardian.
    function stop() external running only(Role.Guardian) {
        stopped = true;
        emit Stopped(msg.sender, false);
    }

    /// @notice Stop everything, for ever: anybody who has a proof of the false statement.
    /// @param proof A proof that the canary takes
    /// @param instance Its public inputs, whatever they are
    function stopByProof(bytes calldata proof, uint256[] calldata instance) external running {
        canary.verify(proof, instance);
        stopped = true;
        emit Stopped(msg.sender, true);
    }

    /// @notice Offer one's own role to another account.
    /// @param role The role
    /// @param to Who may take it; 0: nobody
    function offer(Role role, address to) external only(role) {
        offered[role] = to;
        emit Offered(role, to);
    }

    /// @notice Take a role that was offered.
    /// @param role The role
    function take(Role role) external {
        if (msg.sender != offered[role]) revert NotAllowed(msg.sender);
        delete offered[role];
        holder[role] = msg.sender;
        emit Taken(role, msg.sender);
    }

    function _requireEither() private view {
        if (msg.sender != holder[Role.Admin] && msg.sender != holder[Role.Guardian]) revert NotAllowed(msg.sender);
    }

    function _keyOf(IZkVerifier verifier) private view returns (bytes32) {
        if (address(verifier).code.length == 0) revert NoContract(address(verifier));
        return verifier.vkHash();
    }
}
