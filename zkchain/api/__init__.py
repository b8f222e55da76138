"""Objects that a person holds: circuits, keys, proofs, verifiers, contracts, and bundles that keep them on disk.

compile -> Circuit;  Circuit.setup -> Keys;  Keys.prove -> Proof;  Keys.verifier -> Verifier;  connect -> Chain;
Chain.deploy -> Contract;  open -> Bundle. ``zkchain`` itself offers these names.
"""
