"""The pipeline between bundles: read what a step needs, run it, put its result back, report.

Every function takes the bundle's folder first. Nothing is written unless the step succeeded. Names are loaded when they
are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkchain import lazy

if TYPE_CHECKING:
    from zkchain.workspace.building import (
        compile_report,
        inspect_bundle,
        layers_bundle,
        r1cs_bundle,
        rows_bundle,
        save_circuit,
        save_keys,
        setup_bundle,
        tune_report,
    )
    from zkchain.workspace.ceremonies import (
        Source,
        apply_beacon,
        ceremony_from_zkey,
        ceremony_to_zkey,
        contribute,
        finish_ceremony,
        show_ceremony,
        start_ceremony,
        verify_ceremony,
    )
    from zkchain.workspace.clock import Clock
    from zkchain.workspace.consenting import consent_bundle
    from zkchain.workspace.estimating import Question, estimate_bundle, estimate_model
    from zkchain.workspace.exporting import export_bundle, export_project
    from zkchain.workspace.graphs import bundle_census, bundle_graph, model_graph
    from zkchain.workspace.journaling import list_transactions, refreshed_transactions, replace_transaction
    from zkchain.workspace.opening import (
        load_choices,
        load_outline,
        load_proving_keys,
        load_summary,
        load_verifying_key,
    )
    from zkchain.workspace.proving import (
        Turns,
        open_prover,
        prove_samples,
        verify_bundle,
        witness_bundle,
    )
    from zkchain.workspace.settling import (
        Account,
        deploy_bundle,
        deployment_gas,
        solidity_bundle,
        submit_all,
        submit_bundle,
        verification_gas,
    )
    from zkchain.workspace.unsigned import abi_bundle, calldata_bundle, unsigned_deployment, unsigned_submission

__all__ = [
    "Account",
    "Clock",
    "Question",
    "Source",
    "Turns",
    "abi_bundle",
    "apply_beacon",
    "bundle_census",
    "bundle_graph",
    "calldata_bundle",
    "ceremony_from_zkey",
    "ceremony_to_zkey",
    "compile_report",
    "consent_bundle",
    "contribute",
    "deploy_bundle",
    "deployment_gas",
    "estimate_bundle",
    "estimate_model",
    "export_bundle",
    "export_project",
    "finish_ceremony",
    "inspect_bundle",
    "layers_bundle",
    "list_transactions",
    "load_choices",
    "load_outline",
    "load_proving_keys",
    "load_summary",
    "load_verifying_key",
    "model_graph",
    "open_prover",
    "prove_samples",
    "r1cs_bundle",
    "refreshed_transactions",
    "replace_transaction",
    "rows_bundle",
    "save_circuit",
    "save_keys",
    "setup_bundle",
    "show_ceremony",
    "solidity_bundle",
    "start_ceremony",
    "submit_all",
    "submit_bundle",
    "tune_report",
    "unsigned_deployment",
    "unsigned_submission",
    "verification_gas",
    "verify_bundle",
    "verify_ceremony",
    "witness_bundle",
]

_HOME = {
    **dict.fromkeys(
        ("compile_report", "inspect_bundle", "layers_bundle", "r1cs_bundle", "rows_bundle", "tune_report"), "building"
    ),
    **dict.fromkeys(("save_circuit", "save_keys", "setup_bundle"), "building"),
    "Clock": "clock",
    "consent_bundle": "consenting",
    **dict.fromkeys(("Source", "apply_beacon", "contribute", "finish_ceremony"), "ceremonies"),
    **dict.fromkeys(("show_ceremony", "start_ceremony", "verify_ceremony"), "ceremonies"),
    **dict.fromkeys(("ceremony_from_zkey", "ceremony_to_zkey"), "ceremonies"),
    **dict.fromkeys(("Question", "estimate_bundle", "estimate_model"), "estimating"),
    **dict.fromkeys(("export_bundle", "export_project"), "exporting"),
    **dict.fromkeys(("bundle_census", "bundle_graph", "model_graph"), "graphs"),
    **dict.fromkeys(("load_choices", "load_outline", "load_proving_keys"), "opening"),
    **dict.fromkeys(("load_summary", "load_verifying_key"), "opening"),
    **dict.fromkeys(("Turns", "open_prover", "prove_samples", "verify_bundle", "witness_bundle"), "proving"),
    **dict.fromkeys(("list_transactions", "refreshed_transactions", "replace_transaction"), "journaling"),
    **dict.fromkeys(("abi_bundle", "calldata_bundle", "unsigned_deployment", "unsigned_submission"), "unsigned"),
    **dict.fromkeys(("Account", "deploy_bundle", "deployment_gas"), "settling"),
    **dict.fromkeys(("solidity_bundle", "submit_all", "submit_bundle", "verification_gas"), "settling"),
}

__getattr__ = lazy.names(__name__, _HOME)
