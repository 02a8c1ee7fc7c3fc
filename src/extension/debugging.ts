// Debug configurations: F5 on an open scenario needs no launch.json, and each scenario of the open files is offered by
// name. Programs are paths or, where a file lies elsewhere than on a disk, URIs.
import * as vscode from 'vscode';
import { cannotUnpack, isPacked, isRecording, recordingMax } from '../conform/format';
import { parse } from '../syntax/parser';
import { debugType } from './moments';

export const languageId = 'coherence';

/** What a launch names the file of a document by. */
export const programOf = (uri: vscode.Uri): string =>
  uri.scheme === 'file' ? uri.fsPath : uri.toString();

/** The URI that a program names: an absolute path, or a URI. A drive letter is no scheme. */
export const uriOf = (program: string): vscode.Uri =>
  /^[a-z][a-z0-9+.-]+:/i.test(program) ? vscode.Uri.parse(program, true) : vscode.Uri.file(program);

/**
 * The text of a scenario file; of an open one that has never been saved, what is in its editor. That of a recording is
 * unpacked.
 */
export async function readProgram(program: string): Promise<string> {
  const uri = uriOf(program);
  const unsaved = vscode.workspace.textDocuments.find(
    (document) => document.isUntitled && document.uri.toString() === uri.toString(),
  );
  if (unsaved !== undefined) return unsaved.getText();
  let bytes: Uint8Array;
  try {
    bytes = await vscode.workspace.fs.readFile(uri);
  } catch (error) {
    throw new Error(`${program}: ${reason(error)}`);
  }
  const recording = isRecording(uri.path);
  if (recording && isPacked(bytes)) bytes = await unpacked(program, bytes);
  const text = new TextDecoder().decode(bytes);
  if (text.includes('\0')) {
    const what = recording ? 'a recording' : 'a scenario';
    throw new Error(`${program}: this is no text file; ${what} is text in UTF-8`);
  }
  return text;
}

/** What gzip has packed, as far as a recording may go. Streams unpack in every host, browsers included. */
async function unpacked(program: string, bytes: Uint8Array): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    const packed = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
    const reader = packed.pipeThrough(new DecompressionStream('gzip')).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      length += part.value.length;
      if (length > recordingMax) break;
    }
  } catch {
    throw new Error(`${program}: ${cannotUnpack}`);
  }
  if (length > recordingMax)
    throw new Error(`${program}: too large; a recording has at most 64 MiB`);
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Why a file cannot be read; the workbench's own words name its file system instead. */
function reason(error: unknown): string {
  const known: Readonly<Record<string, string>> = {
    FileNotFound: 'there is no such file',
    FileIsADirectory: 'this is a directory; name a scenario file (.coh) in it',
    NoPermissions: 'it may not be read',
  };
  const code = error instanceof vscode.FileSystemError ? error.code : '';
  return known[code] ?? (error instanceof Error ? error.message : String(error));
}

/** Fills in what a launch of type `coherence` leaves open. */
export class Configurations implements vscode.DebugConfigurationProvider {
  /** The scenarios of the open files, each by its name. */
  provideDebugConfigurations(): vscode.DebugConfiguration[] {
    return vscode.workspace.textDocuments
      .filter((document) => document.languageId === languageId)
      .flatMap((document) => {
        const program = programOf(document.uri);
        const titles = parse(document.getText()).file.scenarios.flatMap(({ title }) =>
          title === undefined ? [] : [title.text],
        );
        return titles.map((scenario) => launch(`Debug "${scenario}"`, { program, scenario }));
      });
  }

  /** Without a launch.json, or with one that names no program: the scenario of the active editor. */
  resolveDebugConfiguration(
    _folder: vscode.WorkspaceFolder | undefined,
    given: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration | undefined {
    if (typeof given.program === 'string' && given.program !== '') return given;
    const document = vscode.window.activeTextEditor?.document;
    if (document?.languageId !== languageId) {
      void vscode.window.showErrorMessage(
        'Open a scenario (a .coh file) to debug it, or name one as "program" in launch.json.',
      );
      return undefined;
    }
    return {
      ...launch('Debug this scenario', { program: programOf(document.uri) }),
      ...filled(given),
    };
  }

  /** A relative program lies in the folder of its launch.json. */
  resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined,
    given: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration {
    const { program } = given;
    if (typeof program !== 'string' || folder === undefined || isAbsolute(program)) return given;
    return { ...given, program: programOf(vscode.Uri.joinPath(folder.uri, program)) };
  }
}

const launch = (
  name: string,
  rest: Readonly<Record<string, string>>,
): vscode.DebugConfiguration => ({
  type: debugType,
  request: 'launch',
  name,
  stopOnEntry: true,
  ...rest,
});

/** What was given that says something: an empty F5 comes with empty type, request and name. */
const filled = (given: vscode.DebugConfiguration): Partial<vscode.DebugConfiguration> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));

const isAbsolute = (program: string): boolean => /^([a-z][a-z0-9+.-]*:|[\\/])/i.test(program);
