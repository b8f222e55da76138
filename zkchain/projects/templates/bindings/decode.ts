/** Public inputs as the numbers they stand for. */
import { model } from "./model.js";
import type { Field } from "./model.js";
import { ProofFormatError, R } from "./proof.js";

/** A public tensor, its elements in row-major order. */
export interface Claim<F extends Field = Field> {
  readonly shape: F["shape"];
  /** As the circuit has them. */
  readonly integers: readonly bigint[];
  /** integer * scale; NaN for what is missing; of categories their names. */
  readonly values: readonly (F["categories"] extends readonly [] ? number : string)[];
}

type Fields = (typeof model.fields)[number];
type Named<Kind extends Field["kind"]> = {
  readonly [F in Extract<Fields, { kind: Kind }> as F["name"]]: Claim<F>;
};

/** What a proof says, by the names of the model's inputs and outputs. */
export interface Claims {
  readonly inputs: Named<"input">;
  readonly outputs: Named<"output">;
}

const WORD_BYTES = 31;

/**
 * The numbers behind a proof's public inputs. Nothing is verified here.
 *
 * @throws ProofFormatError for another number of inputs, or a word that no encoding gives
 */
export function decode(instance: readonly bigint[]): Claims {
  if (instance.length !== model.instanceLength) {
    throw new ProofFormatError(`expected ${model.instanceLength} public inputs, got ${instance.length}`);
  }
  const fields: readonly Field[] = model.fields;
  const parts = system() === "cg16" ? unpacked(fields, instance) : centred(fields, instance);
  const claims = fields.map((field, i) => claim(field, parts[i]!));
  const named = (kind: Field["kind"]) =>
    Object.fromEntries(fields.map((field, i) => [field, i] as const).filter(([field]) => field.kind === kind)
      .map(([field, i]) => [field.name, claims[i]!]));
  return { inputs: named("input"), outputs: named("output") } as unknown as Claims;
}

/** Widened, so that code for both systems stays reachable. */
function system(): "groth16" | "cg16" {
  return model.system;
}

/** Plain Groth16: one word for an element, -q as R - q. */
function centred(fields: readonly Field[], instance: readonly bigint[]): bigint[][] {
  let at = 0;
  return fields.map((field) =>
    Array.from({ length: field.size }, () => {
      const word = instance[at++]!;
      const q = word <= R / 2n ? word : word - R;
      if (q >= 1n << 62n || -q >= 1n << 62n) {
        throw new ProofFormatError(`public input ${at - 1}: ${word} is no 62-bit number`);
      }
      return q;
    }),
  );
}

/** CG16: bytes in words of 31, the lowest first; an element takes whole bytes of one word, q as q + offset. */
function unpacked(fields: readonly Field[], instance: readonly bigint[]): bigint[][] {
  let word = 0;
  let used = 0;
  return fields.map((field) => {
    const width = Math.max(1, Math.ceil(field.bits / 8));
    return Array.from({ length: field.size }, () => {
      if (used + width > WORD_BYTES) {
        word += 1;
        used = 0;
      }
      const raw = (instance[word]! >> BigInt(8 * used)) & ((1n << BigInt(8 * width)) - 1n);
      used += width;
      if (raw >> BigInt(field.bits) !== 0n) {
        throw new ProofFormatError(`${field.kind} ${field.name}: expected ${field.bits} bits, got ${raw}`);
      }
      return raw - field.offset;
    });
  });
}

function claim(field: Field, integers: readonly bigint[]): Claim {
  const values = integers.map((q, k) => (field.categories.length > 0 ? name(field, q, k) : real(field, q, k)));
  return { shape: field.shape, integers, values } as unknown as Claim;
}

function real(field: Field, q: bigint, k: number): number {
  return field.missing.length > 0 && field.missing[k] === q ? NaN : Number(q) * field.scale;
}

function name(field: Field, q: bigint, k: number): string {
  const names = field.categories[field.categories.length === 1 ? 0 : k]!;
  if (q < 0n || q >= BigInt(names.length)) {
    throw new ProofFormatError(`${field.name}: ${q} is the place of none of its ${names.length} names`);
  }
  return names[Number(q)] ?? other(names);
}

/** A string that is in no such list, to stand for all those. */
function other(names: readonly (string | null)[]): string {
  let text = "(other)";
  while (names.includes(text)) text += "*";
  return text;
}
