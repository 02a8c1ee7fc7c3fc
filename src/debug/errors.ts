// What the adapter answers when a request cannot be done: one named constructor each, with a code that stays.

/** A request that is refused; the message is for the user. */
export class RequestError extends Error {
  constructor(
    readonly code: number,
    message: string,
    /** Whether the client should show it in a dialog, beside where it asked. */
    readonly showUser = false,
  ) {
    super(message);
  }
}

// The two short messages below are the protocol's own; clients look at them.
export const notStopped = () => new RequestError(1001, 'notStopped');
export const cancelled = () => new RequestError(1002, 'cancelled');

export const notLaunched = (command: string) =>
  new RequestError(1010, `${command}: nothing is being debugged yet; send launch first`);
export const ended = (command: string) =>
  new RequestError(1015, `${command}: the session is over; restart runs it again`);
export const alreadyLaunched = () =>
  new RequestError(
    1011,
    'this session debugs a scenario already; use restart, or a session of its own',
  );
export const badLaunch = (message: string) => new RequestError(1012, message, true);
export const unsupported = (command: string) =>
  new RequestError(1013, `'${command}' is not a request that this debugger answers`);
export const badArguments = (command: string, message: string) =>
  new RequestError(1014, `${command}: ${message}`);

export const noSuchThread = (id: unknown) => new RequestError(1020, `there is no thread ${id}`);
export const noSuchFrame = (id: unknown) =>
  new RequestError(1021, `frame ${id} is from before the last step; ask for the stack again`);
export const noSuchVariables = (id: unknown) =>
  new RequestError(1022, `variables ${id} are from before the last step; ask for the scopes again`);
export const noSuchSource = (what: string) => new RequestError(1023, `there is no source ${what}`);
export const noException = () =>
  new RequestError(1024, 'the run did not stop at an exception filter');
export const cannotEvaluate = (message: string) => new RequestError(1025, message);

export const cannotChange = (message: string) => new RequestError(1026, message, true);

export const noSuchBranch = (message: string) => new RequestError(1027, message);

export const noSuchMemory = (message: string) => new RequestError(1028, message);
export const noSuchInstruction = (reference: string) =>
  new RequestError(1029, `${reference} is the address of no micro-step`);
export const noSuchTarget = (id: unknown) =>
  new RequestError(1030, `target ${id} is from before the last step; ask for the targets again`);

export const cannotGo = (message: string) => new RequestError(1031, message);

/** A defect of ours: what to report. */
export const internal = (error: unknown) =>
  new RequestError(1099, `the debugger failed: ${error instanceof Error ? error.message : error}`);
