export * from "./abi.js";
export * from "./binder.js";
export * from "./code.js";
export * from "./decode.js";
export * from "./model.js";
export * from "./proof.js";
export * from "./verifier.js";
