// The canonical form of a scenario: two spaces a block, one statement a line, single blanks between words. It
// prints tokens, not the tree: comments, blank lines and lines that are still wrong stay where they are.
// A block that its author put on one line stays on one line while it fits.
import { lineAt } from '../base/text';
import { reserved } from './forms';
import { type Parsed, parse } from './parser';

const WIDTH_MAX = 100;

/**
 * The canonical text. Unchanged when the braces do not pair: then nobody can tell how deep a line is; and where a line
 * that is wrong would be read in another way once it is printed.
 */
export function print(parsed: Parsed): string {
  const text = canonical(parsed);
  if (parsed.problems.length === 0 || text === parsed.text) return text;
  return canonical(parse(text)) === text ? text : parsed.text;
}

function canonical(parsed: Parsed): string {
  if (!parsed.paired) return parsed.text;
  const tokens = tokensOf(parsed);
  if (!balanced(tokens)) return parsed.text;
  const broken = new Set<Token>();
  for (;;) {
    const printed = new Printing(tokens, broken).run();
    if (printed.tooLong.length === 0) return printed.text;
    for (const brace of printed.tooLong) broken.add(brace);
  }
}

interface Token {
  readonly text: string;
  readonly kind: 'word' | 'text' | 'comment' | 'newline' | 'sign';
  /** The blanks in front of it, as typed. */
  readonly gap: string;
  /** On a line with a problem everything stays as typed. */
  readonly verbatim: boolean;
  /** In a `surface` or in what concerns `outcomes`, where a parenthesis is no call. */
  readonly apart: boolean;
  /** Nothing but blanks stands before it on its line. */
  readonly beginsLine: boolean;
  /** For `{`: whether its block is spread over lines. */
  multi: boolean;
}

const lexemes =
  /(?<comment>\/\/[^\n\r]*)|(?<text>"[^"\n\r]*"?)|(?<newline>\r\n|\n|\r)|(?<word>\w+)|(?<sign>==|!=|<=|>=|\.\.|[^])/y;
const settingWord = /(?<word>[A-Za-z_][\w.-]*)/y;

/** Statements whose blocks hold settings. */
const withSettings: ReadonlySet<string> = new Set(['machine', 'explore']);
/** Statements in which a parenthesis stands apart from the word in front of it. */
const apart: ReadonlySet<string> = new Set(['surface', 'outcomes']);

/** All tokens of the text. Inside of `machine { … }` a word may hold dots and hyphens: `linux-6.1`. */
function tokensOf({ text, lines, problems }: Parsed): Token[] {
  const wrong = new Set(problems.map((problem) => lineAt(lines, problem.from)));
  const tokens: Token[] = [];
  const blocks: { brace: Token; first: string }[] = [];
  let first = '';
  let brackets = 0;
  let line = 0;
  let offset = 0;
  while (offset < text.length) {
    const gap = /[ \t\ufeff]*/y;
    gap.lastIndex = offset;
    const blanks = gap.exec(text)?.[0] ?? '';
    offset += blanks.length;
    if (offset >= text.length) break;
    const pattern = withSettings.has(blocks.at(-1)?.first ?? '') ? settingWord : lexemes;
    pattern.lastIndex = offset;
    let found = pattern.exec(text);
    if (found === null) {
      lexemes.lastIndex = offset;
      found = lexemes.exec(text);
    }
    const lexeme = found?.[0] ?? text.slice(offset, offset + 1);
    offset += lexeme.length;
    const kind = (Object.entries(found?.groups ?? {}).find(
      ([, value]) => value !== undefined,
    )?.[0] ?? 'sign') as Token['kind'];
    const token: Token = {
      text: kind === 'comment' ? lexeme.trimEnd() : lexeme,
      kind,
      gap: blanks.replace('\ufeff', ''),
      verbatim: wrong.has(line),
      apart: brackets === 0 && (apart.has(first) || blocks.at(-1)?.first === 'outcomes'),
      beginsLine: tokens.length === 0 || tokens.at(-1)?.kind === 'newline',
      multi: false,
    };
    tokens.push(token);
    if (kind === 'newline') {
      line++;
      for (const { brace } of blocks) brace.multi = true;
      first = '';
      brackets = 0;
    } else if (lexeme === '{') {
      blocks.push({ brace: token, first });
      first = '';
    } else if (lexeme === '}') blocks.pop();
    else if (lexeme === ',' && brackets === 0) first = '';
    else if (kind === 'sign' && (lexeme === '(' || lexeme === '[')) brackets++;
    else if (kind === 'sign' && (lexeme === ')' || lexeme === ']'))
      brackets = Math.max(0, brackets - 1);
    else if (first === '') first = lexeme;
  }
  return tokens;
}

/** Whether braces pair also as tokens: the parser may have passed one over on a line that is wrong. */
function balanced(tokens: readonly Token[]): boolean {
  let depth = 0;
  for (const { kind, text } of tokens) {
    if (kind !== 'sign') continue;
    if (text === '{') depth++;
    else if (text === '}' && --depth < 0) return false;
  }
  return depth === 0;
}

class Printing {
  private readonly lines: string[] = [];
  private readonly tooLong: Token[] = [];
  private readonly open: Token[] = [];
  private current = '';
  private indent = 0;
  private brackets = 0;
  private previous: Token | undefined;
  private unary = false;
  private breaks = 0;
  private continued = false;
  private single: Token | undefined;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly broken: ReadonlySet<Token>,
  ) {}

  run(): { readonly text: string; readonly tooLong: readonly Token[] } {
    for (const token of this.tokens) {
      if (token.kind === 'newline') this.breaks++;
      else this.put(token);
    }
    this.flush();
    const text = this.lines.length === 0 ? '' : `${this.lines.join('\n')}\n`;
    return { text, tooLong: this.tooLong };
  }

  private isMulti(brace: Token): boolean {
    return brace.multi || this.broken.has(brace);
  }

  private put(token: Token): void {
    const inBlock = this.open.at(-1);
    const spread = inBlock === undefined || this.isMulti(inBlock);
    const closes = token.text === '}' && inBlock !== undefined && token.kind === 'sign';
    this.lineBreak(token, closes && spread);
    if (closes) {
      this.open.pop();
      if (spread) this.indent--;
    }
    const separates = token.text === ',' && this.brackets === 0 && spread && !token.verbatim;
    if (separates) {
      this.breaks = Math.max(this.breaks, 1);
      return;
    }
    if (this.current === '') this.current = this.margin();
    else this.current += token.verbatim ? token.gap : this.space(token);
    this.current += token.text;
    this.unary = token.text === '-' && this.beforeOperand();
    this.previous = token;
    if (token.kind === 'sign') this.nest(token);
  }

  /** Ends the line in front of `token` where one ends. */
  private lineBreak(token: Token, beforeBrace: boolean): void {
    // A comment behind an opening brace or a dropped comma belongs to that line.
    const atBrace = this.previous?.text === '{' && this.previous.kind === 'sign';
    const forced = !token.verbatim && (beforeBrace || (atBrace && this.indentedBy(this.previous)));
    if (this.breaks === 0 && !(forced && token.kind !== 'comment')) return;
    if (this.breaks <= 1 && token.kind === 'comment' && !token.beginsLine) {
      this.breaks = 0;
      return;
    }
    const continues = /^(?:and|or|implies)$/.test(this.previous?.text ?? '');
    const before = this.previous;
    this.flush();
    if (this.breaks > 1 && before !== undefined && !atBrace && !beforeBrace) this.lines.push('');
    this.continued = continues && token.kind !== 'comment';
    this.breaks = 0;
  }

  private indentedBy(brace: Token | undefined): boolean {
    return brace !== undefined && this.isMulti(brace);
  }

  private flush(): void {
    if (this.current === '') return;
    const line = this.current.replace(/[ \t\ufeff]+$/, '');
    if (line.length > WIDTH_MAX && this.single !== undefined && !this.single.verbatim)
      this.tooLong.push(this.single);
    this.lines.push(line);
    this.current = '';
    this.single = undefined;
    this.previous = undefined;
  }

  private margin(): string {
    return '  '.repeat(this.indent + (this.continued ? 1 : 0));
  }

  private nest(token: Token): void {
    if (token.text === '{') {
      this.open.push(token);
      if (this.isMulti(token)) this.indent++;
      else this.single ??= token;
    } else if (token.text === '(' || token.text === '[') this.brackets++;
    else if (token.text === ')' || token.text === ']') this.brackets--;
  }

  /** Whether what was printed last asks for a value next: then `-` is a sign, not a subtraction. */
  private beforeOperand(): boolean {
    const last = this.previous;
    if (last === undefined) return true;
    if (last.kind === 'word') return reserved.has(last.text) && last.text !== 'pages';
    return last.kind === 'sign' && !/[)\]}]/.test(last.text);
  }

  private space(token: Token): string {
    const last = this.previous;
    if (last === undefined || token.kind === 'comment') return ' ';
    const a = last.kind === 'sign' ? last.text : 'a';
    const b = token.kind === 'sign' ? token.text : 'b';
    if (a === '{' && b === '}') return '';
    if (a === '(' || a === '[' || a === '.' || this.unary) return '';
    if (b === ')' || b === ']' || b === ',' || b === '.' || b === ':') return '';
    if (b === '[') return this.beforeOperand() ? ' ' : '';
    if (b === '(') return this.beforeOperand() || token.apart ? ' ' : '';
    return ' ';
  }
}
