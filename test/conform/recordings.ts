// The recordings beside this file, and what each test asks of them.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { parseRecording, type RecordedProgram } from '../../src/conform/format';

/** The programs of a recording in test/conform/recordings. */
export function recording(name: string): RecordedProgram[] {
  const bytes = readFileSync(new URL(`recordings/${name}`, import.meta.url));
  return parseRecording((name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'));
}
