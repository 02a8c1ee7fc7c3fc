// Sources and positions at the edge to a client: its spelling of paths, its first line and column, and whether it
// opens kernel listings by URI or by reference. Inside, lines and columns count from 0.
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import * as errors from './errors';
import type { SourceKey } from './placing';
import type { Session } from './session';

export class Sources {
  /** The client's first line and column. */
  lineBase = 1;
  columnBase = 1;

  /** `listingUri`: the URI under which the client opens a listing; without it listings go by source reference. */
  constructor(private readonly listingUri: ((file: string) => string) | undefined) {}

  /** A source as the client is told of it. */
  of(session: Session, key: SourceKey): P.Source {
    if (key.kind === 'scenario') {
      const { path } = key;
      return { name: path.split(/[\\/]/).at(-1)!, path };
    }
    const { file } = key;
    const uri = this.listingUri?.(file);
    const origin = 'listing of the emulated kernel';
    if (uri !== undefined) return { name: file, path: uri, origin };
    return { name: file, sourceReference: session.listings.byFile(file)!.reference, origin };
  }

  /** Which source the client means; undefined when it takes no part in the run. */
  keyOf(session: Session, source: P.Source): SourceKey | undefined {
    const { listings } = session;
    const byReference = source.sourceReference
      ? listings.byReference(source.sourceReference)
      : undefined;
    if (byReference !== undefined) return { kind: 'listing', file: byReference.file };
    const { path } = source;
    if (path === undefined) return undefined;
    const own = session.debuggee.files.find((file) => plainPath(file.path) === plainPath(path));
    if (own !== undefined) return { kind: 'scenario', path: own.path };
    const listing = listings.all.find(({ file }) => this.listingUri?.(file) === path);
    return listing && { kind: 'listing', file: listing.file };
  }

  /** One spelling of a source, whether or not anything is loaded. */
  idOf({ path, name, sourceReference }: P.Source): string {
    return path === undefined ? `${name} ${sourceReference}` : plainPath(path);
  }

  /** The text of a source. */
  content(
    session: Session,
    { source, sourceReference }: P.SourceArguments,
  ): P.SourceResponse['body'] {
    const at = this.keyOf(session, { sourceReference, ...source });
    if (at?.kind === 'scenario') {
      const { text = '' } = session.debuggee.files.find(({ path }) => path === at.path) ?? {};
      return { content: text };
    }
    const listing = at && session.listings.byFile(at.file);
    if (listing === undefined) throw errors.noSuchSource(source?.path ?? `${sourceReference}`);
    return { content: listing.text, mimeType: 'text/x-c' };
  }

  /** Every source of a run. */
  all(session: Session): P.LoadedSourcesResponse['body'] {
    const listings = session.listings.all.map(({ file }) =>
      this.of(session, { kind: 'listing', file }),
    );
    const own = session.debuggee.files.map(({ path }) =>
      this.of(session, { kind: 'scenario', path }),
    );
    return { sources: [...own, ...listings] };
  }
}

/** Clients spell a path in more than one way: as a URI, with a drive letter in either case, with backslashes. */
function plainPath(path: string): string {
  const decoded = path.startsWith('file://')
    ? unescaped(path.replace(/^file:\/\/(\/(?=[A-Za-z]:))?/, ''))
    : path;
  return decoded.replace(/\\/g, '/').replace(/^[A-Za-z]:/, (drive) => drive.toLowerCase());
}

/** What is no URI after all stays as it is. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
