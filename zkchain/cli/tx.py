"""``zkchain tx``: the journal of transactions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from zkchain.cli.options import (
    ChainIdOpt,
    JournalOpt,
    JsonOpt,
    KeystoreOpt,
    MaxFeeOpt,
    PasswordFileOpt,
    RpcOpt,
    TipOpt,
    account,
    terms,
)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

NumberArg = Annotated[int, typer.Argument(metavar="ID", help="As `zkchain tx list` shows it.", show_default=False)]
NodeOpt = Annotated[
    str, typer.Option("--rpc", metavar="URL", help="URL of a node.", envvar="ZKCHAIN_RPC", show_default=False)
]


@app.command("list")
def list_them(rpc: RpcOpt = None, journal: JournalOpt = None, json: JsonOpt = False) -> None:
    """Show what was sent, and what became of it.

    With --rpc: that chain's transactions, as the chain has them now.
    """
    from zkchain.cli import render
    from zkchain.workspace import Account, list_transactions, refreshed_transactions

    report = list_transactions(journal) if rpc is None else refreshed_transactions(Account(rpc, None, journal))
    render.show(report, json=json)


def replacing(kind: str, help: str) -> Callable[..., None]:
    """The command that signs another transaction for the same number."""

    def command(
        number: NumberArg,
        rpc: NodeOpt,
        keystore: KeystoreOpt = None,
        password_file: PasswordFileOpt = None,
        journal: JournalOpt = None,
        chain_id: ChainIdOpt = None,
        max_fee: MaxFeeOpt = None,
        tip: TipOpt = None,
        json: JsonOpt = False,
    ) -> None:
        from zkchain.cli import render
        from zkchain.workspace import replace_transaction

        said = terms(max_fee=max_fee, tip=tip, chain_id=chain_id)
        sender = account(rpc, keystore, password_file, journal, said)
        render.show(replace_transaction(sender, number, kind), json=json)

    command.__doc__ = help
    return command


app.command("speed-up")(replacing("faster", "Offer more for a transaction that waits."))
app.command("cancel")(
    replacing(
        "cancel",
        """Take a transaction that waits back: an empty one takes its number.

        It may be mined all the same, and then this says so.""",
    )
)
