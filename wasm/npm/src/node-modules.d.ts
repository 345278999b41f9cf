// What is used of Node, so that its types need not be installed by anybody.

declare module "node:fs/promises" {
  export function readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>;
}
declare module "node:os" {
  export function availableParallelism(): number;
}
declare module "node:worker_threads" {
  interface Channel {
    postMessage(message: unknown): void;
    on(event: "message", listener: (data: unknown) => void): void;
    on(event: "messageerror", listener: () => void): void;
    on(event: "error", listener: (error: Error) => void): void;
  }
  export const parentPort: Channel | null;
  export class Worker {
    constructor(script: URL);
    postMessage(message: unknown): void;
    on(event: "message", listener: (data: unknown) => void): void;
    on(event: "messageerror", listener: () => void): void;
    on(event: "error", listener: (error: Error) => void): void;
    removeAllListeners(): void;
    terminate(): Promise<number>;
  }
}
declare module "node:zlib" {
  interface Gunzip {
    /** Bytes that have been decoded, of those that were written. */
    readonly bytesWritten: number;
    write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean;
    read(): Uint8Array | null;
    end(): void;
    destroy(): void;
    on(event: "data", listener: (bytes: Uint8Array) => void): this;
    on(event: "error", listener: (error: Error) => void): this;
    on(event: "end", listener: () => void): this;
  }
  export function createGunzip(options: { chunkSize: number }): Gunzip;
}
