// Whatever can be debugged: by its name a file is a scenario or a recording.
import { isRecording } from '../conform/format';
import { readAhead } from '../scenario/sources';
import type { Load, ReadAhead } from './debuggee';
import { loadRecording } from './recording';
import { loadDebuggee } from './scenario';

/** Makes a run of a file's text. */
export const loadProgram: Load = (path, text, options, read) => {
  if (isRecording(path)) return loadRecording(path, text, options);
  const { recorded, operation } = options;
  if (recorded === undefined && operation === undefined)
    return loadDebuggee(path, text, options, read);
  const message =
    'this is a scenario; "recorded" and "operation" are for recordings (.jsonl, .jsonl.gz)';
  return [{ message }];
};

/** Reads beforehand what a file's text refers to: a scenario's imports; a recording has none. */
export const readProgramAhead: ReadAhead = async (path, text, read) =>
  isRecording(path)
    ? () => ({ problem: 'a recording imports nothing' })
    : readAhead(path, text, read);
