// A runner that does what no runner beside a tasker can do unharmed. The numbers of its thread and
// of its module's runs tell one thread from another.

import { once } from 'node:events'
import { isMainThread, parentPort, threadId, workerData } from 'node:worker_threads'

let runs = 0

const deeds = {
  where: () => ({
    threadId,
    isMainThread,
    runs,
    data: workerData ?? 'none',
    hasPort: !!parentPort,
  }),
  loop({ logger }) {
    logger.info('loops')
    for (;;);
  },
  exit({ logger }) {
    logger.info('exits')
    process.exit(3)
  },
  async late({ logger }) {
    logger.info('throws in a later tick')
    setImmediate(() => {
      throw new RangeError('nobody catches this')
    })
    await new Promise(() => {})
  },
  async rejects() {
    Promise.reject(new Error('nobody waits for this'))
    await new Promise(() => {})
  },
  thenExit() {
    setImmediate(() => process.exit(0))
    return 'said before'
  },
  async waits({ abortSignal, logger }) {
    logger.info('waits')
    abortSignal.throwIfAborted()
    await once(abortSignal, 'abort')
    throw abortSignal.reason
  },
  async counts({ checkpoint, progress }) {
    for (let n = 1; ; n += 1) {
      progress(n)
      await checkpoint()
    }
  },
  async asksLate({ addTask, logger }) {
    setImmediate(async () => {
      logger.info('too late for a line')
      await addTask({ operation: 'child', data: 'late' })
    })
    return 'returned before'
  },
  grow() {
    const all = []
    for (;;) all.push(new Array(1_000).fill(all.length))
  },
  compute({ data }) {
    let sum = 0
    for (let n = 0; n < data.n; n += 1) sum = (sum + n) % 1_000_003
    return sum
  },
}

export default context => {
  runs += 1
  return deeds[context.data.do](context)
}
