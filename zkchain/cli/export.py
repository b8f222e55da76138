"""``zkchain export``: a bundle's verifier in a project of Foundry, Hardhat or TypeScript."""

from __future__ import annotations

from collections.abc import Callable

import typer

from zkchain.cli.options import BundleArg, FolderArg, ForceOpt, JsonOpt, ShownProofsOpt

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
ONE = ("proof",)
"""The proof that commands take where none is named."""


def exporting(kind: str, help: str) -> Callable[..., None]:
    """The command that writes projects of this kind."""

    def command(
        bundle: BundleArg,
        output: FolderArg,
        proof: ShownProofsOpt = None,
        force: ForceOpt = False,
        json: JsonOpt = False,
    ) -> None:
        from zkchain.cli import render
        from zkchain.workspace import export_bundle

        render.show(export_bundle(bundle, kind, output, names=proof or ONE, force=force), json=json)

    command.__doc__ = help
    return command


app.command("foundry")(
    exporting(
        "foundry",
        """Write a Foundry project over the proofs.

        Verifier, contracts to build on, and tests in Solidity that verify the bundle's own proofs: `forge test`, or
        with npm alone `npm ci && npm test`.""",
    )
)
app.command("hardhat")(
    exporting(
        "hardhat",
        """Write a Hardhat 3 project over the proofs.

        Verifier, contracts to build on, typed bindings, and tests that verify the bundle's own proofs, in Solidity and
        through viem and ethers: `npx hardhat test`.""",
    )
)
app.command("typescript")(
    exporting(
        "typescript",
        """Write typed bindings for viem and ethers.

        From proof.json to calldata, from public inputs to numbers; their tests compare them with what zkchain says of
        the bundle's own proofs: `npm test`.""",
    )
)
