// Memory as a client reads and writes it: mappings, physical frames, objects and the device's copies, each by a textual
// reference that holds as long as the session. What is not there is a hole; behind the end there is nothing.
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { readBytes } from '../machine/location/bytes';
import type { MemoryRange } from '../machine/location/location';
import * as errors from './errors';
import type { Session } from './session';

const pageBytes = 4096;
/** So many bytes are read at a time; a client that wants more asks again, from where they end. */
const readMax = 4 * 2 ** 20;
/** So many bytes are written at a time: each is two digits of the schedule. */
const writeMax = 65_536;

export class Memory {
  /** The references that a client has read through: it hears when they change. */
  private readonly read = new Map<string, number>();

  readMemory(s: Session, args: P.ReadMemoryArguments): P.ReadMemoryResponse['body'] {
    const { memoryReference, offset = 0, count } = args;
    const range = this.range(s, memoryReference);
    this.read.set(memoryReference, range.size - range.offset);
    const start = range.offset + offset;
    const address = addressText(range.base + start);
    if (start >= range.size || count <= 0) return { address };
    if (start < 0) return { address, unreadableBytes: Math.min(count, -start) };
    const wanted = Math.min(count, range.size - start, readMax);
    const bytes = readBytes(range, start, wanted);
    const hole = bytes.length > 0 ? wanted - bytes.length : holeFrom(range, start, wanted);
    return {
      address,
      ...(bytes.length > 0 && { data: base64(bytes) }),
      ...(hole > 0 && { unreadableBytes: hole }),
    };
  }

  writeMemory(s: Session, args: P.WriteMemoryArguments): P.WriteMemoryResponse['body'] {
    const { memoryReference, offset = 0, data, allowPartial = false } = args;
    const range = this.range(s, memoryReference);
    const bytes = bytesOf(data);
    if (bytes === undefined) throw errors.cannotChange('the data are no base64');
    if (bytes.length === 0) return { bytesWritten: 0 };
    if (bytes.length > writeMax)
      throw errors.cannotChange(`${bytes.length} bytes at once are too many: ${writeMax} at most`);
    const start = range.offset + offset;
    const within = start < 0 ? 0 : Math.min(bytes.length, range.size - start);
    const { length } = readBytes(range, start, within);
    if (length === 0 || (length < bytes.length && !allowPartial))
      throw errors.cannotChange(
        `of the ${bytes.length} bytes from ${range.name(Math.max(0, start))} on ${length} are there`,
      );
    const location = s.debuggee.locations.at(`${range.name(start)}:${length}`);
    if (typeof location === 'string') throw errors.cannotChange(location);
    const hex = bytes.slice(0, length).map((byte) => byte.toString(16).padStart(2, '0'));
    const problem = s.change(location, `0x${hex.join('')}`);
    if (problem !== undefined) throw errors.cannotChange(problem);
    return { bytesWritten: length };
  }

  /** What a client that has read memory is to read again. */
  stale(): { memoryReference: string; offset: number; count: number }[] {
    return [...this.read].map(([memoryReference, count]) => ({
      memoryReference,
      offset: 0,
      count,
    }));
  }

  forget(): void {
    this.read.clear();
  }

  private range(s: Session, reference: string): MemoryRange {
    const { locations } = s.debuggee;
    const isAddress = /^\s*(0x[\da-f]+|\d+)\s*$/i.test(reference);
    const space = isAddress ? s.spaceOf(s.stopped!.task) : undefined;
    const named = isAddress ? `bytes:${space}:${reference.trim()}` : reference;
    const range = locations.memory(named);
    if (typeof range === 'string') throw errors.noSuchMemory(range);
    return range;
  }
}

const addressText = (at: number): string =>
  at < 0 ? `-0x${(-at).toString(16)}` : `0x${at.toString(16)}`;

/** How far the hole at `start` goes, as far as it was asked for. */
function holeFrom(range: MemoryRange, start: number, wanted: number): number {
  let at = start;
  while (at < start + wanted && range.find(at)?.contents === undefined)
    at = (Math.floor((at + range.phase) / pageBytes) + 1) * pageBytes - range.phase;
  return Math.min(wanted, at - start);
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function base64(bytes: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const [a, b, c] = [bytes[i]!, bytes[i + 1], bytes[i + 2]];
    const word = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
    const last = b === undefined ? '==' : c === undefined ? '=' : '';
    const text = [18, 12, 6, 0].map((shift) => digits[(word >> shift) & 63]).join('');
    parts.push(text.slice(0, 4 - last.length) + last);
  }
  return parts.join('');
}

export function bytesOf(text: string): number[] | undefined {
  const match = /^([A-Za-z\d+/]*)={0,2}$/.exec(text.replace(/\s/g, ''));
  if (match === null) return undefined;
  const bytes: number[] = [];
  let [word, bits] = [0, 0];
  for (const digit of match[1]!) {
    word = ((word << 6) | digits.indexOf(digit)) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((word >> bits) & 255);
    }
  }
  return bytes;
}
