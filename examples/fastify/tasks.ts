// The operations of this service and the tasker that runs them.

import { setTimeout as sleep } from 'node:timers/promises'
import { Tasker } from 'tasker'

export interface Operations {
  import: { data: { rows: string[] }; result: { imported: number } }
}

export const tasker = new Tasker<Operations>({
  // Beside package.json, wherever the process was started.
  store: new URL('../tasks.db', import.meta.url),
})

tasker.assignRunner('import', async ({ data, abortSignal, progress }) => {
  for (let imported = 1; imported <= data.rows.length; imported += 1) {
    await sleep(20, undefined, { signal: abortSignal }) // Your own work goes here.
    progress(imported, data.rows.length, 'rows')
  }
  return { imported: data.rows.length }
})

tasker.on('task.failed', (uuid, error) => console.error(`task ${uuid} failed:`, error))
