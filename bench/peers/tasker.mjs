// tasker through its public class, synced.

import { join } from 'node:path'
import { Tasker } from '../../index.mjs'

const operation = 'read-book'

export async function open({ dir, window, durability }) {
  const tasker = new Tasker({ store: join(dir, 'tasker.db'), concurrency: window, durability })
  await tasker.ready()
  return {
    add: data => tasker.addTask({ operation, data }),
    addMany: list => tasker.addTasks(list.map(data => ({ operation, data }))),
    async work(runner) {
      tasker.assignRunner(operation, ({ data }) => runner(data))
      await tasker.start()
    },
    done: () => tasker.countTasks({ status: 'done' }),
  }
}
