// plainjob as its users run it: WAL, not synced. It has no concurrency option; ten workers are its
// best.

import { join } from 'node:path'
import Database from 'better-sqlite3'
import { better, defineQueue, defineWorker } from 'plainjob'

const type = 'read-book'
const logger = { debug() {}, info() {}, warn() {}, error: console.error }
const done = 2

export function open({ dir }) {
  const connection = better(new Database(join(dir, 'plainjob.db')))
  const queue = defineQueue({ connection, logger })
  return {
    add: async data => queue.add(type, data),
    addMany: async list => queue.addMany(type, list),
    work(runner) {
      const run = task => runner(JSON.parse(task.data))
      const options = { queue, logger, pollIntervall: 1 }
      for (let i = 0; i < 10; i++) defineWorker(type, run, options).start()
    },
    done: () => queue.countJobs({ type, status: done }),
  }
}
