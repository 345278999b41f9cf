// Workers that do jobs: how they are started is the entry's business.

import { FhirehoseError, revived } from "./errors.js";
import type { TypeCount } from "./export.js";
import { perform, TOGETHER, type Input, type Outcome } from "./job.js";
import { shared } from "./module.js";
import { requestOf, type Plan } from "./plan.js";
import type { FromWorker, ToWorker } from "./worker-body.js";

/** A worker, whatever the platform calls it. */
export interface Port {
  post(message: ToWorker): void;
  listen(message: (data: FromWorker) => void, broken: (why: string) => void): void;
  end(): void;
}

/** Starts a worker; `undefined`: there are none. */
export type Spawn = () => Port;

let spawn: Spawn | undefined;
let most = 1;

/** Said by the entry. */
export function workersAre(how: Spawn, count: number): void {
  spawn = how;
  most = Math.max(1, count);
}

/** How many workers for so many jobs; 0: do it here. */
export function sized(asked: number | undefined, jobs: number): number {
  if (spawn === undefined) return 0;
  return Math.min(asked ?? most, Math.max(1, jobs));
}

export interface Wishes {
  workers: number;
  isWhole: boolean;
  signal: AbortSignal | undefined;
  /** Told of further bytes of a job, and of its counts as they stand, where they were looked at. */
  progress(job: number, bytes: number, types: readonly TypeCount[] | undefined): void;
}

/** Does jobs, each of them some inputs; gives the outcomes in the order of the jobs. */
export async function performAll(plan: Plan, jobs: readonly (readonly Input[])[], wishes: Wishes): Promise<Outcome[] | typeof TOGETHER> {
  wishes.signal?.throwIfAborted();
  if (wishes.workers === 0 || spawn === undefined) return here(plan, jobs, wishes);
  const ports: Port[] = [];
  const outcomes: Outcome[] = [];
  let next = 0;
  const isOver = { value: false };
  const work = async (): Promise<typeof TOGETHER | undefined> => {
    const port = started();
    ports.push(port);
    const { module, tables } = shared();
    port.post({ kind: "begin", module, tables, request: requestOf(plan) });
    while (next < jobs.length && !isOver.value) {
      const index = next++;
      const inputs = jobs[index] as readonly Input[];
      const outcome = (await done(port, index, inputs, wishes)) ?? (await performed(plan, index, inputs, wishes));
      if (outcome === TOGETHER) return TOGETHER;
      outcomes[index] = outcome;
    }
    port.end();
    return undefined;
  };
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(wishes.signal?.reason);
    wishes.signal?.addEventListener("abort", stop);
  });
  aborted.catch(() => {});
  try {
    const workers = Array.from({ length: wishes.workers }, work);
    const together = Promise.race(workers.map(async (worker) => ((await worker) === TOGETHER ? TOGETHER : new Promise<never>(() => {}))));
    const ended = await Promise.race([Promise.all(workers), together, aborted]);
    // Whichever of the two was told first.
    return ended === TOGETHER || ended.includes(TOGETHER) ? TOGETHER : outcomes;
  } finally {
    isOver.value = true;
    wishes.signal?.removeEventListener("abort", stop);
    for (const port of ports) port.end();
  }
}

function performed(plan: Plan, index: number, inputs: readonly Input[], { isWhole, signal, progress }: Wishes): Promise<Outcome | typeof TOGETHER> {
  return perform(plan, inputs, { isWhole, progress: (bytes, types) => progress(index, bytes, types), check: () => signal?.throwIfAborted() });
}

async function here(plan: Plan, jobs: readonly (readonly Input[])[], wishes: Wishes): Promise<Outcome[] | typeof TOGETHER> {
  const outcomes: Outcome[] = [];
  for (const [index, inputs] of jobs.entries()) {
    const outcome = await performed(plan, index, inputs, wishes);
    if (outcome === TOGETHER) return TOGETHER;
    outcomes.push(outcome);
  }
  return outcomes;
}

function started(): Port {
  try {
    return (spawn as Spawn)();
  } catch (cause) {
    throw new FhirehoseError("worker", "a worker cannot be started; `workers: 0` does without", [], { cause });
  }
}

/** A job done by a worker; `undefined`: its Blobs cannot be handed over, as those of Node that are files. */
function done(port: Port, index: number, inputs: readonly Input[], { isWhole, progress }: Wishes): Promise<Outcome | typeof TOGETHER | undefined> {
  return new Promise((resolve, reject) => {
    port.listen(
      (said) => {
        if (said.kind === "progress") progress(index, said.bytes, said.types);
        else if (said.kind === "done") resolve(said.outcome);
        else reject(said.code === undefined ? new Error(said.message) : revived({ code: said.code, message: said.message, problems: said.problems }));
      },
      (why) => reject(new FhirehoseError("worker", `a worker broke: ${why}`)),
    );
    try {
      port.post({ kind: "job", inputs: [...inputs], isWhole });
    } catch {
      resolve(undefined);
    }
  });
}
