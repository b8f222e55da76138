"""``zkchain tx``: the journal of transactions."""

from __future__ import annotations

from pathlib import Path
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
    signer,
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


@app.command("speed-up")
def speed_up(
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
    """Offer more for a transaction that waits."""
    _replace("faster", number, rpc, keystore, password_file, journal, chain_id, max_fee, tip, json)


@app.command()
def cancel(
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
    """Take a transaction that waits back: an empty one takes its number.

    It may be mined all the same, and then this says so.
    """
    _replace("cancel", number, rpc, keystore, password_file, journal, chain_id, max_fee, tip, json)


def _replace(
    kind: str,
    number: int,
    rpc: str,
    keystore: Path | None,
    password_file: Path | None,
    journal: Path | None,
    chain_id: int | None,
    max_fee: float | None,
    tip: float | None,
    json: bool,
) -> None:
    from zkchain.cli import render
    from zkchain.workspace import Account, replace_transaction

    said = terms(chain_id, max_fee, tip, None, None, 0, False)
    account = Account(rpc, signer(keystore, password_file), journal, said)
    render.show(replace_transaction(account, number, kind), json=json)
