// Where messages leave for the client. Those of one piece of work are written as one text: each write wakes the client.

/** What the base class asks of the stream that it writes to. */
export interface Output {
  write(text: string): boolean;
  end(): unknown;
  on(event: string, listener: (error: Error) => void): unknown;
}

export class Outbox {
  private output: Output | undefined;
  private gathered: string | undefined;

  /** The stream as the base class may have it: what it writes goes out, or waits for the rest of its piece of work. */
  before(output: Output): Output {
    this.output = output;
    const write = (text: string): boolean => {
      if (this.gathered === undefined) return output.write(text);
      this.gathered += text;
      return true;
    };
    return { write, end: () => output.end(), on: (event, heard) => output.on(event, heard) };
  }

  /** Does some work, and writes in one piece what it had to say. */
  gather(work: () => void): void {
    if (this.gathered !== undefined) return work(); // within another
    this.gathered = '';
    try {
      work();
    } finally {
      const text = this.gathered;
      this.gathered = undefined;
      if (text !== '') this.output?.write(text);
    }
  }
}
