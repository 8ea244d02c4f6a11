// The operations of this service and the tasker that runs them.

import { fileURLToPath } from 'node:url'
import { Tasker } from 'tasker'
import { resize } from './resize.js'

export interface Operations {
  thumbnails: { data: { image: string; widths: number[] }; result: { files: string[] } }
}

export const tasker = new Tasker<Operations>({
  // Beside package.json, wherever the process was started.
  store: fileURLToPath(new URL('../tasks.db', import.meta.url)),
  concurrency: 8,
  runTimeout: '1m',
})

tasker.assignRunner('thumbnails', async ({ data, abortSignal, progress }) => {
  const files: string[] = []
  for (const width of data.widths) {
    files.push(await resize(data.image, width, abortSignal))
    progress(files.length, data.widths.length, 'files')
  }
  return { files }
})

tasker.on('task.failed', (uuid, error) => console.error(`task ${uuid} failed:`, error))
