// Assertions for what must hold in our own code. A failed one is our defect, never the scenario's.

/** Throws when `condition` is false; `message` says what was expected. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** For the branch of a switch that cannot be reached. */
export function unreachable(value: never): never {
  throw new Error(`assertion failed: unexpected ${JSON.stringify(value)}`);
}
