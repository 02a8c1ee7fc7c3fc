// Assertions for what must hold in our own code. A failed one is our defect, never the scenario's.

/** Throws when `condition` is false; `message` says what was expected. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) fail(message);
}

/** A failed assertion; where the message would cost too much to be made for every check. */
export function fail(message: string): never {
  throw new Error(`assertion failed: ${message}`);
}

/** For the branch of a switch that cannot be reached. */
export function unreachable(value: never): never {
  return fail(`unexpected ${JSON.stringify(value)}`);
}
