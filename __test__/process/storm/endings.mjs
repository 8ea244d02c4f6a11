// How a life of the storm ends by itself, in the middle of its runs.

import { parentPort } from 'node:worker_threads'

export const endings = {
  exit: () => process.exit(7),
  throw: () => {
    throw new Error('the storm throws')
  },
  reject: () => {
    Promise.reject(new Error('the storm rejects'))
  },
  /** Blocks the event loop for good; the engine's thread works on. */
  loop: () => {
    parentPort.postMessage('looping')
    for (;;);
  },
  /** Waits, with a run that does not end, for somebody to end it. */
  hold: () => {},
  close: tasker => tasker.close(),
}
