// Reading and writing scenario files, and the form in which problems are printed: `FILE:LINE:COLUMN: message`.
import { readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { positionAt } from '../base/text';
import { cannotUnpack, isPacked, recordingMax } from '../conform/format';
import type { Checked, Diagnostic } from '../scenario/diagnostics';
import type { Files } from '../scenario/sources';

const MIB = 1024 * 1024;

/** The text of a scenario file, or why there is none, in one line. */
export type Read = { readonly text: string } | { readonly problem: string };

/** Reads a file; whatever it turns out to be, the answer is a text or one sentence. */
export const readScenario = (path: string): Read => readText(path, scenarios);

/** Reads a recording, unpacked if it is compressed. */
export const readRecording = (path: string): Read => readText(path, recordings);

interface Kind {
  readonly name: string;
  readonly files: string;
  readonly bytesMax: number;
  readonly unpack: (bytes: Uint8Array) => Uint8Array;
}

const scenarios: Kind = {
  name: 'a scenario',
  files: 'a scenario file (.coh)',
  bytesMax: 4 * MIB,
  unpack: (bytes) => bytes,
};
const recordings: Kind = {
  name: 'a recording',
  files: 'a recording (.jsonl or .jsonl.gz)',
  bytesMax: recordingMax,
  unpack: (bytes) =>
    isPacked(bytes) ? gunzipSync(bytes, { maxOutputLength: recordingMax }) : bytes,
};

function readText(path: string, { name, files, bytesMax, unpack }: Kind): Read {
  const most = `${name} has at most ${bytesMax / MIB} MiB`;
  try {
    const status = statSync(path);
    if (status.isDirectory())
      return { problem: `${path}: this is a directory; name ${files} in it` };
    if (status.size > bytesMax) {
      const size = (status.size / MIB).toFixed(1);
      return { problem: `${path}: ${size} MiB is too large; ${most}` };
    }
    const bytes = unpack(readFileSync(path));
    if (bytes.length > bytesMax) return { problem: `${path}: too large; ${most}` };
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (text.includes('\0')) return { problem: notText(path, name) };
    return { text };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code.startsWith('Z_')) return { problem: `${path}: ${cannotUnpack}` };
    if (code === 'ERR_BUFFER_TOO_LARGE') return { problem: `${path}: too large; ${most}` };
    if (error instanceof TypeError) return { problem: notText(path, name) };
    return { problem: `${path}: ${reason(error)}` };
  }
}

/** Where a scenario file stands, and how those that it imports are read. */
export function filesOf(path: string): Files {
  return {
    path,
    read: (imported) => {
      const read = readScenario(imported);
      return 'text' in read ? read.text : { problem: read.problem.replace(`${imported}: `, '') };
    },
  };
}

function notText(path: string, name: string): string {
  return `${path}: this is no text file; ${name} is text in UTF-8`;
}

function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    ENOTDIR: 'there is no such file',
    EACCES: 'it may not be read or written',
    EPERM: 'it may not be read or written',
    ELOOP: 'its links lead in a circle',
    ENAMETOOLONG: 'its name is too long',
    ENOSPC: 'the disk is full',
    EROFS: 'the disk is read-only',
  };
  return known[code] ?? (error instanceof Error ? error.message : String(error));
}

/** Replaces a file as a whole: a failure half-way leaves the old one. Returns what went wrong, if anything. */
export function writeScenario(path: string, text: string): string | undefined {
  let draft: string | undefined;
  try {
    const target = realpathSync(path);
    draft = `${target}.${process.pid}.tmp`; // beside the file itself, so on the same disk
    writeFileSync(draft, text, { mode: statSync(target).mode });
    renameSync(draft, target);
    return undefined;
  } catch (error) {
    if (draft !== undefined) rmSync(draft, { force: true });
    return `${path}: ${reason(error)}`;
  }
}

/** `FILE:LINE:COLUMN: message`, lines and columns from 1. */
export function showDiagnostic(path: string, checked: Checked, diagnostic: Diagnostic): string {
  const { line, column } = positionAt(checked.parsed.lines, diagnostic.from);
  const warning = diagnostic.severity === 'warning' ? 'warning: ' : '';
  return `${path}:${line + 1}:${column + 1}: ${warning}${diagnostic.message}`;
}

/** Exit codes of all commands. */
export const HOLDS = 0;
export const DIFFERS = 1;
export const VIOLATED = 1;
export const BAD_INPUT = 2;
export const INCOMPLETE = 3;
