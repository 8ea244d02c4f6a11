// tasker through its public class, synced; from this checkout or another.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from '../../scripts/steps.mjs'

const operation = 'read-book'

export async function open({ dir, window, durability, checkout = root }) {
  const { Tasker } = await import(pathToFileURL(join(checkout, 'index.mjs')))
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
