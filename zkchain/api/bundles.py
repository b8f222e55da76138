"""A bundle: the same objects, on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from zkchain import pipeline, workspace
from zkchain.api import arguments
from zkchain.api.compiling import Circuit
from zkchain.api.proving import Keys, Proof, Verifier
from zkchain.formats import bundle, proofs, tensors
from zkchain.typing import Array

if TYPE_CHECKING:
    from zkchain.circuit import RestoredCircuit
    from zkchain.formats.records import Summary
    from zkchain.reports import ProjectReport


@arguments.made_by("zkchain.open(folder) opens a bundle", files=bundle.Bundle)
@dataclass(frozen=True, eq=False, repr=False)
class Bundle:
    """One folder with everything that belongs to a compiled model. What it holds is read, and checked against the
    manifest, when it is first asked for."""

    files: bundle.Bundle

    def __repr__(self) -> str:
        return repr(self.files)

    def __reduce__(self) -> tuple[object, ...]:
        """By its path: another process opens it anew, and maps the key itself."""
        return open, (str(self.folder.absolute()),)

    @property
    def folder(self) -> Path:
        """The folder that holds it."""
        return self.files.folder

    @cached_property
    def _summary(self) -> Summary:
        return workspace.load_summary(self.files)

    @cached_property
    def _rows(self) -> RestoredCircuit:
        return workspace.load_outline(self.files)

    @cached_property
    def circuit(self) -> Circuit:
        """The circuit, without its constraints until they are needed. Raises BundleError."""
        worst: dict[str, Array] | None = None
        if self.files.has("worst_input") and self.files.is_current("worst_input"):
            worst = tensors.read(self.files.path("worst_input"))
        return Circuit(
            self.files.read("model"),
            workspace.load_choices(self.files, self._summary),
            self._summary,
            self._rows,
            worst_inputs=worst,
        )

    @cached_property
    def keys(self) -> Keys:
        """Both keys, the proving key mapped. Raises BundleError, KeyFormatError, UnsafeKey, KeyMismatch."""
        return Keys(self._rows, workspace.load_proving_keys(self.files), self._rows.layout)

    @cached_property
    def verifier(self) -> Verifier:
        """Needs verification key and circuit record only. Raises BundleError, KeyMismatch."""
        return Verifier(workspace.load_verifying_key(self.files), pipeline.layout_of(self._summary))

    @property
    def proofs(self) -> tuple[str, ...]:
        """Names of its proofs."""
        return tuple(proofs.names(self.files))

    def proof(self, name: str = "proof") -> Proof:
        """A kept proof. Raises BundleError, ProofFormatError."""
        arguments.text("name", name)
        elements, instance = proofs.load(self.files, name)  # its errors name the proofs that there are
        return self.verifier.proof(elements, instance, proofs.load_context(self.files, name))

    def save(self, proof: Proof, name: str = "proof") -> Path:
        """Keep a proof under a name.

        Raises ProofInvalid where it is no proof of this bundle, InputError for a name that is no file's.
        """
        arguments.of_kind("proof", proof, Proof, "a Proof")
        arguments.text("name", name)
        self.verifier.verify(proof)
        return proof.save(proofs.folder(self.files, name))

    def export(
        self,
        kind: str,
        folder: str | PathLike[str],
        *,
        proofs: str | Sequence[str] = "proof",
        force: bool = False,
    ) -> ProjectReport:
        """Write a project of another tool, whose tests verify kept proofs: see ``Verifier.export``.

        ``proofs``: a name, or several. Raises BundleError where there is no such proof, and as ``Verifier.export``.
        """
        from zkchain.projects import KINDS

        return workspace.export_bundle(
            self.folder,
            arguments.one_of("kind", kind, KINDS),
            arguments.path("folder", folder),
            names=arguments.names("proofs", proofs),
            force=arguments.flag("force", force),
        )


def open(folder: str | PathLike[str]) -> Bundle:
    """Open a bundle that ``Circuit.save`` or ``zkchain compile`` wrote. Raises BundleError where the folder is none."""
    return Bundle(bundle.open_bundle(arguments.path("folder", folder)))
