// The operations of this service and the tasker that runs them.

import { setTimeout as sleep } from 'node:timers/promises'
import { Tasker } from 'tasker'

export interface Operations {
  thumbnails: { data: { image: string; widths: number[] }; result: { files: string[] } }
}

export const tasker = new Tasker<Operations>({
  // Beside package.json, wherever the process was started.
  store: new URL('../tasks.db', import.meta.url),
  concurrency: 8,
  runTimeout: '1m',
})

tasker.assignRunner('thumbnails', async ({ data, abortSignal, progress }) => {
  const files: string[] = []
  for (const width of data.widths) {
    await sleep(20, undefined, { signal: abortSignal }) // Your own work goes here.
    files.push(`${data.image}-${width}.webp`)
    progress(files.length, data.widths.length, 'files')
  }
  return { files }
})

tasker.on('task.failed', (uuid, error) => console.error(`task ${uuid} failed:`, error))
