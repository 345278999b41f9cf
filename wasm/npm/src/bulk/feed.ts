// Pieces of a file on their way from who receives them to who reads them, one at a time.

interface Giver {
  readonly piece: Uint8Array | undefined;
  resolve(): void;
  reject(reason: unknown): void;
}

/** Whoever gives waits until it was taken, and the other way round. A stream would do, for a quarter more of the processor. */
export class Feed {
  #givers: Giver[] = [];
  #taker: { resolve(piece: Uint8Array | undefined): void; reject(reason: unknown): void } | undefined;
  #isAtEnd = false;
  #broken: { reason: unknown } | undefined;

  /** Hands a piece on; `undefined`: that was the last one. */
  give(piece: Uint8Array | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) return reject(this.#broken.reason);
      this.#givers.push({ piece, resolve, reject });
      this.#match();
    });
  }

  /** The next piece; `undefined`: there are no more. One waits at a time. */
  take(): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) return reject(this.#broken.reason);
      if (this.#isAtEnd) return resolve(undefined);
      this.#taker = { resolve, reject };
      this.#match();
    });
  }

  /** Ends it for both, before its time. */
  break(reason: unknown): void {
    if (this.#broken !== undefined) return;
    this.#broken = { reason };
    for (const { reject } of this.#givers.splice(0)) reject(reason);
    this.#taker?.reject(reason);
    this.#taker = undefined;
  }

  #match(): void {
    if (this.#taker === undefined) return;
    const giver = this.#givers.shift();
    if (giver === undefined) return;
    this.#isAtEnd = giver.piece === undefined;
    this.#taker.resolve(giver.piece);
    this.#taker = undefined;
    giver.resolve();
  }
}
